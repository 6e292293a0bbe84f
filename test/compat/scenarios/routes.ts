import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify'
import { WebSocket } from 'ws'
import { frame } from '../../helpers/frames'
import { label } from '../describe'
import type { Stage } from '../recorder'
import { saysClose, type Scenario } from '../scenario'

type Handler = (this: FastifyInstance, socket: WebSocket, request: FastifyRequest) => void

/** A handler that records what it got, says which one it is, and closes. */
function answering (stage: Stage, name: string): Handler {
  return function answer (...args) {
    const [socket, request] = args
    stage.record(name, this, ...args, request.params, request.query, request.url)
    socket.send(name)
    socket.close(1000, name)
  }
}

/** Declares nothing but one route, and records what that throws. */
function declaring (name: string, route: unknown, rest: Pick<Scenario, 'differs'> & { diff?: string[] } = {}): Scenario {
  return {
    name: `declaring ${name}`,
    async run (stage) {
      await stage.start(async app => {
        await stage.attempt('route', () => { app.route(route as RouteOptions) })
      }, { listen: false })
    },
    ...rest
  }
}

const nothing = () => {}

export const routes: Scenario[] = [
  {
    name: 'the handler of a websocket route gets the socket, the request and its instance',
    async run (stage) {
      const app = await stage.start(app => {
        app.get('/', { websocket: true }, function handle (...args) {
          const [socket, request] = args
          stage.record('handler', this, args.length, ...args)
          stage.record('socket', socket instanceof WebSocket, socket.readyState, socket.protocol, socket.binaryType)
          stage.record('request', request.ws, request.method, request.url, request.id, request.ip, request.protocol, request.hostname, request.is404)
          stage.record('server', request.server, request.routeOptions.url, request.routeOptions.method, request.raw.url)
          socket.on('message', (data, isBinary) => { socket.send(data, { binary: isBinary }) })
        })
      })
      const client = await stage.connect(app)
      client.send('text')
      await client.next()
      client.send(Buffer.from('bytes'))
      await client.next()
      await client.close(1000)
    }
  },
  {
    name: 'route() with websocket, and with the handler among the options of get()',
    async run (stage) {
      const app = await stage.start(app => {
        app.route({ method: 'GET', url: '/route', websocket: true, handler: answering(stage, 'route') })
        app.get('/short', { websocket: true, handler: answering(stage, 'short') } as never)
      })
      await (await stage.connect(app, '/route')).closed()
      await (await stage.connect(app, '/short')).closed()
    }
  },
  {
    name: 'a plain GET to a websocket route gets 404 without a body',
    async run (stage) {
      const app = await stage.start(app => {
        app.get('/', { websocket: true }, answering(stage, 'websocket'))
        app.setNotFoundHandler((request, reply) => { reply.code(404).send('the 404 handler') })
      })
      await stage.request(app, 'GET', '/')
    }
  },
  {
    name: 'handler and wsHandler serve both on one route',
    async run (stage) {
      const app = await stage.start(app => {
        app.route({
          method: 'GET',
          url: '/both',
          handler (...args) {
            const [request, reply] = args
            stage.record('handler', this, args.length, ...args, request.ws)
            reply.send({ plain: true })
          },
          wsHandler: answering(stage, 'wsHandler')
        })
      })
      await stage.request(app, 'GET', '/both')
      await (await stage.connect(app, '/both')).closed()
    }
  },
  {
    name: 'wsHandler with websocket: true: the handler is the one that serves upgrades',
    differs: ['unused-handler-warned-of'],
    diff: ['log + warn: the wsHandler of the route / is not used: with websocket: true its handler is the websocket handler'],
    async run (stage) {
      const app = await stage.start(app => {
        app.route({ method: 'GET', url: '/', websocket: true, handler: answering(stage, 'handler'), wsHandler: answering(stage, 'wsHandler') })
      })
      await (await stage.connect(app)).closed()
      await stage.request(app, 'GET', '/')
    }
  },
  {
    name: 'an async plain handler beside a wsHandler',
    async run (stage) {
      const app = await stage.start(app => {
        app.route({ method: 'GET', url: '/', handler: async () => 'returned', wsHandler: answering(stage, 'wsHandler') })
      })
      await stage.request(app, 'GET', '/')
      await (await stage.connect(app)).closed()
    }
  },
  {
    name: 'an upgrade to a plain route opens, is logged and closed',
    async run (stage) {
      const app = await stage.start(app => {
        app.get('/plain', () => { stage.record('never') })
      })
      await (await stage.connect(app, '/plain?query=1')).closed()
    }
  },
  {
    name: 'an upgrade to no route gets the default 404',
    ...saysClose('http 1'),
    async run (stage) {
      const app = await stage.start(nothing)
      await stage.refused(app, '/nowhere')
    }
  },
  {
    name: 'an upgrade to no route gets the 404 handler of its prefix',
    ...saysClose('http 1', 'http 2'),
    async run (stage) {
      const app = await stage.start(async app => {
        app.setNotFoundHandler((request, reply) => { reply.code(404).send({ root: request.ws }) })
        await app.register(async child => {
          child.setNotFoundHandler((request, reply) => { reply.code(410).header('x-handler', 'child').send({ child: request.ws }) })
        }, { prefix: '/child' })
      })
      await stage.refused(app, '/nowhere')
      await stage.refused(app, '/child/nowhere')
    }
  },
  {
    name: 'the client of ws sees the status of a refusal',
    async run (stage) {
      const app = await stage.start(nothing)
      await stage.connect(app, '/nowhere')
    }
  },
  {
    name: 'the code of an error of a route',
    differs: ['error-details'],
    diff: [
      'app - code "POST" undefined',
      'app - code "GET" undefined',
      'app + code "POST" "FST_WS_INVALID_METHOD"',
      'app + code "GET" "FST_WS_INVALID_HANDLER"'
    ],
    async run (stage) {
      await stage.start(app => {
        for (const method of ['POST', 'GET']) {
          try {
            app.route({ method, url: '/', handler: nothing, wsHandler: 'nothing' } as never)
          } catch (error) {
            stage.record('code', method, (error as { code?: string }).code)
          }
        }
      }, { listen: false })
    }
  },
  declaring('a websocket route for POST', { method: 'POST', url: '/', websocket: true, handler: nothing }),
  declaring('a wsHandler for PUT', { method: 'PUT', url: '/', handler: nothing, wsHandler: nothing }),
  declaring('a websocket route for GET and POST', { method: ['GET', 'POST'], url: '/', websocket: true, handler: nothing }),
  declaring('a websocket route for GET and HEAD', { method: ['GET', 'HEAD'], url: '/', websocket: true, handler: nothing }),
  declaring('a websocket route for HEAD alone', { method: 'HEAD', url: '/', websocket: true, handler: nothing }),
  declaring('a websocket route for a method in lower case', { method: 'get', url: '/', websocket: true, handler: nothing }),
  declaring('a wsHandler that is a string', { method: 'GET', url: '/', handler: nothing, wsHandler: 'nothing' }),
  declaring('a wsHandler that is an object', { method: 'GET', url: '/', handler: nothing, wsHandler: {} }),
  declaring('a falsy wsHandler', { method: 'GET', url: '/', handler: nothing, wsHandler: null }),
  declaring('a websocket route without a handler', { method: 'GET', url: '/', websocket: true }),
  declaring('a wsHandler without a handler', { method: 'GET', url: '/', wsHandler: nothing }),
  declaring('the same websocket route twice', { method: ['GET', 'GET'], url: '/', websocket: true, handler: nothing }),
  {
    name: 'HEAD on a websocket route gets 404',
    async run (stage) {
      const app = await stage.start(app => {
        app.get('/', { websocket: true }, answering(stage, 'websocket'))
        app.route({ method: ['GET', 'HEAD'], url: '/array', websocket: true, handler: answering(stage, 'array') })
        app.route({ method: 'HEAD', url: '/head', websocket: true, handler: answering(stage, 'head') })
        app.get('/hidden', { websocket: true, exposeHeadRoute: false }, answering(stage, 'hidden'))
      })
      await stage.request(app, 'HEAD', '/')
      await stage.request(app, 'HEAD', '/array')
      await stage.request(app, 'HEAD', '/head')
      await stage.request(app, 'HEAD', '/hidden')
      await (await stage.connect(app, '/array')).closed()
    }
  },
  {
    name: 'HEAD beside a wsHandler is served by the plain handler',
    async run (stage) {
      const app = await stage.start(app => {
        app.route({
          method: 'GET',
          url: '/',
          handler (request, reply) {
            stage.record('handler', request.method)
            reply.header('x-plain', 'yes').send('body')
          },
          wsHandler: answering(stage, 'wsHandler')
        })
        app.route({ method: 'HEAD', url: '/own', handler: (request, reply) => { reply.code(204).send() }, wsHandler: answering(stage, 'own') })
      })
      await stage.request(app, 'HEAD', '/')
      await stage.request(app, 'HEAD', '/own')
    }
  },
  {
    name: 'an application that exposes no HEAD routes',
    async run (stage) {
      const app = await stage.start(app => {
        app.get('/', { websocket: true }, answering(stage, 'websocket'))
      }, { fastify: { exposeHeadRoutes: false } })
      await stage.request(app, 'HEAD', '/')
      await (await stage.connect(app)).closed()
    }
  },
  {
    name: 'the tree of routes',
    async run (stage) {
      await stage.start(async app => {
        app.get('/a', { websocket: true }, nothing)
        app.route({ method: 'GET', url: '/a/:b', handler: nothing, wsHandler: nothing })
        app.post('/a', nothing)
        await app.ready()
        stage.record('routes', app.printRoutes())
        stage.record('hasRoute', app.hasRoute({ method: 'GET', url: '/a' }), app.hasRoute({ method: 'HEAD', url: '/a' }))
      }, { listen: false })
    }
  },
  {
    name: 'parameters, decoded, and the query',
    async run (stage) {
      const app = await stage.start(app => {
        app.get('/rooms/:room/users/:user', { websocket: true }, answering(stage, 'two'))
        app.get('/optional/:name?', { websocket: true }, answering(stage, 'optional'))
        app.get('/number/:id(^\\d+$)', { websocket: true }, answering(stage, 'number'))
        app.get('/pair/:from-:to', { websocket: true }, answering(stage, 'pair'))
      })
      await (await stage.connect(app, '/rooms/caf%C3%A9/users/a%2Fb?q=1&q=2&empty')).closed()
      await (await stage.connect(app, '/optional')).closed()
      await (await stage.connect(app, '/optional/given')).closed()
      await (await stage.connect(app, '/number/42')).closed()
      await (await stage.connect(app, '/number/none')).closed()
      await (await stage.connect(app, '/pair/a-b')).closed()
    }
  },
  {
    name: 'prefixes of nested scopes',
    async run (stage) {
      const app = await stage.start(async app => {
        await app.register(async child => {
          label(child, 'child')
          child.get('/', { websocket: true }, answering(stage, 'child'))
          await child.register(async grandchild => {
            label(grandchild, 'grandchild')
            grandchild.get('/leaf', { websocket: true }, answering(stage, 'grandchild'))
          }, { prefix: '/:inner' })
        }, { prefix: '/outer' })
      })
      await (await stage.connect(app, '/outer')).closed()
      await (await stage.connect(app, '/outer/')).closed()
      await (await stage.connect(app, '/outer/in/leaf')).closed()
      await (await stage.connect(app, '/leaf')).closed()
    }
  },
  {
    name: 'prefixTrailingSlash',
    async run (stage) {
      const app = await stage.start(async app => {
        await app.register(async child => {
          child.get('/', { websocket: true, prefixTrailingSlash: 'slash' }, answering(stage, 'slash'))
        }, { prefix: '/with' })
        await app.register(async child => {
          child.get('/', { websocket: true, prefixTrailingSlash: 'no-slash' }, answering(stage, 'no slash'))
        }, { prefix: '/without' })
      })
      for (const path of ['/with', '/with/', '/without', '/without/']) await (await stage.connect(app, path)).closed()
    }
  },
  {
    name: 'the options of the router: case, slashes, semicolons',
    async run (stage) {
      const app = await stage.start(app => {
        app.get('/Path/name', { websocket: true }, answering(stage, 'route'))
      }, { fastify: { routerOptions: { caseSensitive: false, ignoreTrailingSlash: true, ignoreDuplicateSlashes: true, useSemicolonDelimiter: true } } as never })
      for (const path of ['/path/NAME', '/Path/name/', '/Path//name', '/Path/name;a=b']) await (await stage.connect(app, path)).closed()
    }
  },
  {
    name: 'rewriteUrl',
    async run (stage) {
      const app = await stage.start(app => {
        app.get('/new', { websocket: true }, function handle (socket, request) {
          stage.record('handler', request.url, request.originalUrl)
          socket.close()
        })
      }, { fastify: { rewriteUrl: request => request.url === '/old' ? '/new' : String(request.url) } })
      await (await stage.connect(app, '/old')).closed()
    }
  },
  {
    name: 'wildcards, and which route wins',
    async run (stage) {
      const app = await stage.start(async app => {
        app.get('/*', { websocket: true }, answering(stage, 'any'))
        app.get('/a/*', { websocket: true }, answering(stage, 'below a'))
        app.get('/a/:one', { websocket: true }, answering(stage, 'one'))
        app.get('/a/b', { websocket: true }, answering(stage, 'exact'))
        await app.register(async child => {
          child.get('*', { websocket: true }, answering(stage, 'prefix'))
        }, { prefix: '/prefix' })
      })
      for (const path of ['/', '/x/y', '/a/b/c', '/a/x', '/a/b', '/prefix', '/prefix/x']) {
        await (await stage.connect(app, path)).closed()
      }
    }
  },
  {
    name: 'a wildcard for upgrades beside plain routes',
    async run (stage) {
      const app = await stage.start(app => {
        app.get('/*', { websocket: true }, answering(stage, 'any'))
        app.get('/plain', (request, reply) => { reply.send('plain') })
      })
      await (await stage.connect(app, '/plain')).closed()
      await (await stage.connect(app, '/else')).closed()
      await stage.request(app, 'GET', '/plain')
      await stage.request(app, 'GET', '/else')
    }
  },
  {
    name: 'constraints by host',
    async run (stage) {
      const app = await stage.start(app => {
        app.get('/', { websocket: true, constraints: { host: 'one.test' } }, answering(stage, 'one'))
        app.get('/', { websocket: true, constraints: { host: /.*\.two\.test/ } }, answering(stage, 'two'))
      })
      await (await stage.connect(app, '/', { headers: { host: 'one.test' } })).closed()
      await (await stage.connect(app, '/', { headers: { host: 'a.two.test' } })).closed()
      await (await stage.connect(app, '/', { headers: { host: 'three.test' } })).closed()
    }
  },
  {
    name: 'constraints by version',
    async run (stage) {
      const app = await stage.start(app => {
        app.get('/', { websocket: true, constraints: { version: '1.2.0' } }, answering(stage, 'version 1'))
        app.get('/', { constraints: { version: '2.0.0' } }, (request, reply) => { reply.send('version 2') })
      })
      await (await stage.connect(app, '/', { headers: { 'accept-version': '1.x' } })).closed()
      await (await stage.connect(app, '/', { headers: { 'accept-version': '2.x' } })).closed()
      await (await stage.connect(app, '/', { headers: { 'accept-version': '3.x' } })).closed()
      await stage.request(app, 'GET', '/', { 'Accept-Version': '2.0.0' })
    }
  },
  {
    name: 'a constraint of the application tells upgrades from plain requests',
    async run (stage) {
      const kind = {
        name: 'kind',
        storage () {
          const handlers = new Map<unknown, unknown>()
          return {
            get: (value: unknown) => handlers.get(value) ?? null,
            set: (value: unknown, handler: unknown) => { handlers.set(value, handler) }
          }
        },
        deriveConstraint: (request: { headers: Record<string, unknown> }) => String(request.headers.upgrade ?? 'plain'),
        validate: () => true
      }
      const app = await stage.start(app => {
        app.route({ method: 'GET', url: '/', websocket: true, constraints: { kind: 'websocket' }, handler: answering(stage, 'upgrade') })
        app.route({ method: 'GET', url: '/', constraints: { kind: 'plain' }, handler: (request, reply) => { reply.send('plain') } })
      }, { fastify: { routerOptions: { constraints: { kind } } } as never })
      await (await stage.connect(app)).closed()
      await stage.request(app, 'GET', '/')
    }
  },
  {
    name: 'an upgrade with POST to a plain route, and to none',
    ...saysClose('http /get'),
    async run (stage) {
      const app = await stage.start(app => {
        app.post('/', () => { stage.record('never') })
        app.get('/get', { websocket: true }, answering(stage, 'get'))
      })
      for (const path of ['/', '/get']) {
        const client = await stage.running(app).raw()
        client.request('POST', path, { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==' })
        await stage.response(`http ${path}`, client)
        await stage.ending(`http ${path}`, client)
      }
    }
  },
  {
    name: 'schema validation refuses before the handler',
    ...saysClose('http 1', 'http 2', 'http 3'),
    async run (stage) {
      const app = await stage.start(app => {
        app.get('/:id', {
          websocket: true,
          schema: {
            params: { type: 'object', properties: { id: { type: 'integer' } } },
            querystring: { type: 'object', required: ['token'], properties: { token: { type: 'string', minLength: 3 } } },
            headers: { type: 'object', properties: { 'x-count': { type: 'integer' } } }
          }
        }, function handle (socket, request) {
          stage.record('handler', request.params, request.query, request.headers['x-count'])
          socket.close()
        })
      })
      await stage.refused(app, '/1')
      await stage.refused(app, '/1?token=ab')
      await stage.refused(app, '/x?token=abc')
      await (await stage.connect(app, '/1?token=abc', { headers: { 'x-count': '7' } })).closed()
    }
  },
  {
    name: 'attachValidation leaves it to the handler',
    async run (stage) {
      const app = await stage.start(app => {
        app.get('/', { websocket: true, attachValidation: true, schema: { querystring: { type: 'object', required: ['token'] } } }, (socket, request) => {
          stage.record('handler', request.validationError)
          socket.close()
        })
      })
      await (await stage.connect(app)).closed()
    }
  },
  {
    name: 'onRoute hooks see websocket routes hidden and the others as they are',
    async run (stage) {
      await stage.start(app => {
        app.addHook('onRoute', function onRoute (route) {
          stage.record('onRoute', this, route.method, route.url, route.websocket, typeof route.wsHandler, typeof route.handler, route.schema)
        })
        app.get('/websocket', { websocket: true }, nothing)
        app.get('/schema', { websocket: true, schema: { querystring: { type: 'object' } } }, nothing)
        app.route({ method: 'GET', url: '/both', schema: { tags: ['both'] } as never, handler: nothing, wsHandler: nothing })
        app.get('/plain', nothing)
      }, { listen: false })
    }
  },
  {
    name: 'an onRoute hook of the application before the plugin can make a route a websocket route',
    async run (stage) {
      const app = await stage.start(async app => {
        app.addHook('onRoute', route => {
          if (route.url.startsWith('/ws')) route.websocket = true
        })
        await app.register(stage.plugin)
        app.get('/ws', answering(stage, 'made') as never)
      }, { plugin: false })
      await (await stage.connect(app, '/ws')).closed()
      await stage.request(app, 'GET', '/ws')
    }
  },
  {
    name: 'an onRoute hook of the application after the plugin wraps what serves the route',
    async run (stage) {
      const app = await stage.start(app => {
        app.addHook('onRoute', route => {
          const { handler } = route
          route.handler = function wrapped (request, reply) {
            stage.record('wrapped', this, request, request.ws)
            return handler.call(this, request, reply)
          }
        })
        app.get('/', { websocket: true }, answering(stage, 'inner'))
      })
      await (await stage.connect(app)).closed()
    }
  },
  {
    name: 'config, context and decorators of a websocket route',
    async run (stage) {
      const app = await stage.start(app => {
        app.decorate('greeting', 'hello')
        app.decorateRequest('user', '')
        app.addHook('preHandler', async request => { Object.assign(request, { user: 'ann' }) })
        app.get('/', { websocket: true, config: { own: 1 }, bodyLimit: 10, logLevel: 'error' }, function handle (socket, request) {
          stage.record('handler', request.routeOptions.config, request.routeOptions.bodyLimit, request.routeOptions.logLevel)
          stage.record('decorated', this.getDecorator('greeting'), request.getDecorator('user'))
          socket.close()
        })
      })
      await (await stage.connect(app)).closed()
    }
  },
  {
    name: 'a websocket route declared in a plugin that is registered after ours',
    async run (stage) {
      const app = stage.create()
      app.register(stage.plugin)
      app.register(async child => {
        label(child, 'child')
        child.get('/', { websocket: true }, answering(stage, 'child'))
      })
      await app.listen({ port: 0, host: '127.0.0.1' })
      await (await stage.connect(app)).closed()
    }
  },
  {
    name: 'routes declared before the plugin: an upgrade is refused, and the log says why',
    oursOnly: true,
    logLevel: 'error',
    differs: ['route-too-early'],
    async run (stage) {
      const app = await stage.start(async app => {
        app.get('/', { websocket: true }, answering(stage, 'never') as never)
        app.get('/plain', (request, reply) => { reply.send('plain') })
        await app.register(stage.plugin)
      }, { plugin: false })
      await stage.refused(app)
      await stage.refused(app, '/plain')
      await stage.request(app, 'GET', '/plain')
    },
    expect: {
      'http 1': [
        '500 Internal Server Error',
        'connection: close',
        'content-type: application/json; charset=utf-8',
        'content-length: 298',
        'date: <date>',
        'body {"statusCode":500,"code":"FST_WS_ROUTE_TOO_EARLY","error":"Internal Server Error","message":"route GET / cannot take a websocket upgrade: it was declared before the websocket plugin was loaded. Await the registration of the plugin, or declare the route inside a plugin that is registered after it"}',
        'end'
      ],
      'http 2': [
        '500 Internal Server Error',
        'connection: close',
        'content-type: application/json; charset=utf-8',
        'content-length: 303',
        'date: <date>',
        'body {"statusCode":500,"code":"FST_WS_ROUTE_TOO_EARLY","error":"Internal Server Error","message":"route GET /plain cannot take a websocket upgrade: it was declared before the websocket plugin was loaded. Await the registration of the plugin, or declare the route inside a plugin that is registered after it"}',
        'end'
      ],
      'http 3': [
        '200 OK',
        'content-type: text/plain; charset=utf-8',
        'content-length: 5',
        'date: <date>',
        'connection: close',
        'body plain',
        'end'
      ],
      log: [
        'error: route GET / cannot take a websocket upgrade: it was declared before the websocket plugin was loaded. Await the registration of the plugin, or declare the route inside a plugin that is registered after it | req GET / localhost | res 500 | err FastifyError [FST_WS_ROUTE_TOO_EARLY]: route GET / cannot take a websocket upgrade: it was declared before the websocket plugin was loaded. Await the registration of the plugin, or declare the route inside a plugin that is registered after it | { reqId: "req-1" }',
        'error: route GET /plain cannot take a websocket upgrade: it was declared before the websocket plugin was loaded. Await the registration of the plugin, or declare the route inside a plugin that is registered after it | req GET /plain localhost | res 500 | err FastifyError [FST_WS_ROUTE_TOO_EARLY]: route GET /plain cannot take a websocket upgrade: it was declared before the websocket plugin was loaded. Await the registration of the plugin, or declare the route inside a plugin that is registered after it | { reqId: "req-2" }'
      ]
    }
  },
  {
    name: 'a schema shared by two routes is left as it was',
    differs: ['schema-untouched'],
    diff: [
      'app - onRoute "/plain" true',
      'app - shared ["querystring", "hide"]',
      'app - onRoute "/shown" true',
      'app + onRoute "/plain" undefined',
      'app + shared ["querystring"]',
      'app + onRoute "/frozen" true',
      'app + onRoute "/shown" false',
      'test - frozen threw TypeError: Cannot add property hide, object is not extensible',
      'test + frozen: undefined'
    ],
    async run (stage) {
      await stage.start(async app => {
        const shared = { querystring: { type: 'object' } }
        app.addHook('onRoute', ({ url, schema }) => { stage.record('onRoute', url, (schema as { hide?: boolean } | undefined)?.hide) })
        app.get('/websocket', { websocket: true, schema: shared, exposeHeadRoute: false }, nothing)
        app.get('/plain', { schema: shared, exposeHeadRoute: false }, nothing)
        stage.record('shared', Object.keys(shared))
        await stage.attempt('frozen', () => { app.get('/frozen', { websocket: true, schema: Object.freeze({}), exposeHeadRoute: false }, nothing) })
        app.get('/shown', { websocket: true, schema: { hide: false } as never, exposeHeadRoute: false }, nothing)
      }, { listen: false })
    }
  },
  {
    name: 'request.signal of an open connection whose client leaves',
    differs: ['signal-of-a-connection'],
    diff: ['app + abort'],
    async run (stage) {
      const app = await stage.start(app => {
        app.get('/', { websocket: true }, (socket, request) => {
          request.signal.addEventListener('abort', () => { stage.record('abort') })
          stage.record('handler', request.signal.aborted)
          stage.watch(socket)
        })
      })
      const client = await stage.connect(app)
      await client.close(1000)
      await stage.saw('app', 'socket close')
    }
  },
  {
    name: 'fastify.inject() on a websocket route, with the headers of an upgrade and without',
    async run (stage) {
      const app = await stage.start(app => {
        app.addHook('onRequest', async request => { stage.record('onRequest', request.ws) })
        app.route({ method: 'GET', url: '/', handler: async () => 'plain', wsHandler: () => { stage.record('never') } })
        app.get('/websocket', { websocket: true }, () => { stage.record('never') })
      }, { listen: false })
      const headers = { connection: 'upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==' }
      for (const url of ['/', '/websocket']) {
        for (const options of [{ url }, { url, headers }]) {
          const { statusCode, body } = await app.inject(options)
          stage.record(url, statusCode, body)
        }
      }
    }
  },
  {
    name: 'an Upgrade header without Connection: upgrade is a plain request',
    async run (stage) {
      const app = await stage.start(app => {
        app.route({ method: 'GET', url: '/', handler: (request, reply) => { reply.send({ ws: request.ws }) }, wsHandler: answering(stage, 'never') })
      })
      await stage.request(app, 'GET', '/', { Upgrade: 'websocket' })
    }
  },
  {
    name: 'plain requests and then an upgrade on one connection',
    async run (stage) {
      const app = await stage.start(app => {
        app.route({ method: 'GET', url: '/', handler: (request, reply) => { reply.send({ ws: request.ws }) }, wsHandler: answering(stage, 'upgrade') })
      })
      const client = await stage.running(app).raw()
      for (let i = 0; i < 2; i++) {
        client.request('GET', '/')
        await stage.response('http 1', client)
      }
      client.upgrade('/')
      await stage.response('http 1', client)
      client.write(frame('close'))
      await stage.frames('http 1', client)
    }
  },
  {
    name: 'a proxy that is trusted',
    async run (stage) {
      const app = await stage.start(app => {
        app.get('/', { websocket: true }, (socket, request) => {
          stage.record('handler', request.ip, request.ips, request.protocol, request.host)
          socket.close()
        })
      }, { fastify: { trustProxy: true } })
      const headers = { 'x-forwarded-for': '10.1.1.1', 'x-forwarded-proto': 'https', 'x-forwarded-host': 'public.test' }
      await (await stage.connect(app, '/', { headers })).closed()
    }
  },
  {
    name: 'an upgrade to a route for all methods',
    async run (stage) {
      const app = await stage.start(async app => {
        app.all('/all', async () => 'all')
        await stage.attempt('websocket', () => { app.all('/websocket', { websocket: true } as never, () => {}) })
      })
      await (await stage.connect(app, '/all')).closed()
    }
  },
  {
    name: 'over TLS, and over HTTP/2 with allowHTTP1',
    async run (stage) {
      for (const over of ['tls', 'http2'] as const) {
        const app = await stage.start(app => { app.get('/', { websocket: true }, answering(stage, over)) }, { over })
        await (await stage.connect(app)).closed()
        await (await stage.connect(app, '/nowhere')).closed()
      }
    }
  }
]
