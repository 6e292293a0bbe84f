import fastify from 'fastify'
import type { FastifyError } from 'fastify'
import { once } from 'node:events'
import { connect } from 'node:http2'
import t from 'tap'
import websocket from '../src'
import { wrapHandler } from '../src/route'
import { start, TRANSPORTS } from './helpers/app'
import { certificate } from './helpers/certificate'
import { checkLeaksAtEnd } from './helpers/leaks'
import { within } from './helpers/limit'
import { upgradeHead } from './helpers/raw-client'
import { connectBy, transportOf, WAYS } from './helpers/ways'

checkLeaksAtEnd(t)

const noop = () => {}

t.test('a route with websocket: true serves upgrades, and answers 404 to a plain GET and HEAD', async t => {
  const running = await start(t, app => {
    app.get('/', { websocket: true }, socket => { socket.send('hello') })
  })
  const { inbox } = await running.connect()
  t.equal(String(await inbox.next()), 'hello')
  t.equal((await running.app.inject({ method: 'GET', url: '/' })).statusCode, 404)
  t.equal((await running.app.inject({ method: 'HEAD', url: '/' })).statusCode, 404)
})

t.test('a route with a wsHandler serves both, and HEAD too', async t => {
  const running = await start(t, app => {
    app.route({ method: 'GET', url: '/', handler: async () => 'plain', wsHandler: socket => { socket.send('hello') } })
  })
  const { inbox } = await running.connect()
  t.equal(String(await inbox.next()), 'hello')
  t.equal((await running.app.inject({ method: 'GET', url: '/' })).body, 'plain')
  t.equal((await running.app.inject({ method: 'HEAD', url: '/' })).statusCode, 200)
})

t.test('GET and HEAD in one declaration are fine', async t => {
  const running = await start(t, app => {
    app.route({ method: ['GET', 'HEAD'], url: '/', websocket: true, handler: socket => { socket.send('hello') } })
  })
  const { inbox } = await running.connect()
  t.equal(String(await inbox.next()), 'hello')
})

t.test('the handler runs with the encapsulated instance as this', async t => {
  const running = await start(t, app => {
    app.register(async scope => {
      scope.decorate('word', 'inner')
      scope.get('/', { websocket: true }, function (socket) { socket.send(String(Reflect.get(this, 'word'))) })
    }, { prefix: '/scope' })
  })
  const { inbox } = await running.connect('/scope')
  t.equal(String(await inbox.next()), 'inner')
})

t.test('prefixes, parameters, wildcards and constraints choose the handler as on any route', async t => {
  const running = await start(t, app => {
    app.register(async scope => {
      scope.get('/', { websocket: true }, socket => { socket.send('root') })
      scope.get('/:id', { websocket: true }, (socket, request) => { socket.send(JSON.stringify(request.params)) })
      scope.get('/files/*', { websocket: true }, (socket, request) => { socket.send(JSON.stringify(request.params)) })
    }, { prefix: '/a' })
    app.get('/host', { websocket: true, constraints: { host: 'one.test' } }, socket => { socket.send('one') })
    app.get('/host', { websocket: true, constraints: { host: 'two.test' } }, socket => { socket.send('two') })
  })
  const answer = async (path: string, headers = {}) => String(await (await running.connect(path, { headers })).inbox.next())
  t.equal(await answer('/a'), 'root')
  t.equal(await answer('/a/'), 'root')
  t.equal(await answer('/a/7'), '{"id":"7"}')
  t.equal(await answer('/a/files/x/y'), '{"*":"x/y"}')
  t.equal(await answer('/host', { host: 'one.test' }), 'one')
  t.equal(await answer('/host', { host: 'two.test' }), 'two')
  await t.rejects(answer('/host', { host: 'three.test' }), { message: 'Unexpected server response: 404' })
})

t.test('an upgrade to a route without a websocket handler opens, is logged and closes', async t => {
  const running = await start(t, app => { app.get('/plain', async () => 'plain') })
  const { inbox } = await running.connect('/plain?a=1')
  t.equal((await inbox.closed).code, 1005)
  const line = await running.logged('closed incoming websocket connection for path with no websocket handler')
  t.match(line, { level: 30, path: '/plain?a=1' })
})

for (const method of ['POST', 'PUT', 'DELETE', ['GET', 'POST']]) {
  t.test(`a websocket route for ${method} is refused where it is declared`, async t => {
    const app = fastify()
    t.teardown(() => app.close())
    await app.register(websocket)
    const expected = { code: 'FST_WS_INVALID_METHOD', message: 'websocket handler can only be declared in GET method' }
    t.throws(() => app.route({ method, url: '/', websocket: true, handler: noop }), expected)
    t.throws(() => app.route({ method, url: '/', handler: noop, wsHandler: noop }), expected)
  })
}

t.test('a wsHandler that is no function is refused where it is declared', async t => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(websocket)
  const route = { method: 'GET', url: '/', handler: noop, wsHandler: 'x' as unknown as typeof noop }
  t.throws(() => app.route(route), { code: 'FST_WS_INVALID_HANDLER', message: 'invalid wsHandler function' })
})

t.test('websocket: true hides the route\'s schema from descriptions of the API, in a copy', async t => {
  const schema = Object.freeze({ querystring: Object.freeze({ type: 'object', properties: { a: { type: 'integer' } } }) })
  const seen: unknown[] = []
  const running = await start(t, app => {
    app.addHook('onRoute', route => { if (route.method === 'GET') seen.push({ ...route.schema }) })
    app.get('/bare', { websocket: true }, noop)
    app.get('/shared', { websocket: true, schema }, (socket, request) => { socket.send(JSON.stringify(request.query)) })
    app.get('/shown', { websocket: true, schema: { hide: false } as object }, noop)
    app.get('/plain', { schema: {} }, async () => 'plain')
  })
  t.same(seen, [{ hide: true }, { hide: true, ...schema }, { hide: false }, {}])
  const { inbox } = await running.connect('/shared?a=1')
  t.equal(String(await inbox.next()), '{"a":1}', 'and it still validates')
  await t.rejects(running.connect('/shared?a=x'), { message: 'Unexpected server response: 400' })
})

t.test('an upgrade to a websocket route declared before the plugin gets 500, and one log line names the route and the cure', async t => {
  const running = await start(t, { websocket: false }, async app => {
    app.get('/early/:id', { websocket: true }, noop)
    await app.register(websocket)
    app.get('/late', { websocket: true }, socket => { socket.send('late') })
  })
  await t.rejects(running.connect('/early/1'), { message: 'Unexpected server response: 500' })
  t.equal(running.log.filter(({ level }) => level >= 40).length, 1)
  const line = await running.logged(/GET \/early\/:id .*declared before the websocket plugin/)
  t.match(line, { level: 50, err: { code: 'FST_WS_ROUTE_TOO_EARLY' } })
  await t.rejects(running.connect('/none'), { message: 'Unexpected server response: 404' })
  t.equal(String(await (await running.connect('/late')).inbox.next()), 'late')
})

t.test('a plain route declared before the plugin serves plain requests as ever', async t => {
  const { app } = await start(t, { websocket: false }, async app => {
    app.get('/early', async () => 'plain')
    await app.register(websocket)
  })
  t.equal((await app.inject('/early')).body, 'plain')
})

t.test('an early route is known by itself, whatever else is declared for its URL', async t => {
  const running = await start(t, { websocket: false }, async app => {
    app.get('/both', { websocket: true }, noop)
    await app.register(websocket)
    app.post('/both', async () => 'posted')
  })
  await t.rejects(running.connect('/both'), { message: 'Unexpected server response: 500' })
})

t.test('a route of a scope that has the plugin is not early for a parent that gets it later', async t => {
  const running = await start(t, { websocket: false }, async app => {
    await app.register(async scope => {
      await scope.register(websocket)
      scope.get('/child', { websocket: true }, socket => { socket.send('child') })
      scope.get('/child-plain', async () => 'plain')
    })
    await app.register(websocket)
    app.get('/parent', { websocket: true }, socket => { socket.send('parent') })
  })
  for (const name of ['child', 'parent']) t.equal(String(await (await running.connect(`/${name}`)).inbox.next()), name)
  t.equal((await (await running.connect('/child-plain')).inbox.closed).code, 1005)
})

t.test('a HEAD request that offers a websocket gets what a plain one gets', async t => {
  const running = await start(t, app => {
    app.get('/', { websocket: true }, noop)
    app.get('/plain', async () => 'plain')
  })
  const head = (path: string): string => upgradeHead(path).replace('GET', 'HEAD')
  t.equal((await (await running.raw()).write(head('/')).readResponse({ head: true })).status, 404)
})

t.test('what the application finds in the config of a route is its own', async t => {
  const config = Object.freeze({ mine: true })
  const running = await start(t, app => {
    app.get('/', { websocket: true, config }, (socket, request) => { socket.send(JSON.stringify(request.routeOptions.config)) })
  })
  t.equal(String(await (await running.connect()).inbox.next()), '{"mine":true,"url":"/","method":"GET"}')
  t.same(Object.getOwnPropertySymbols(config), [])
})

t.test('a wsHandler that is not used is warned of once', async t => {
  const running = await start(t, app => {
    app.route({ method: 'GET', url: '/', websocket: true, wsHandler: noop, handler: socket => { socket.send('handler') } })
  })
  t.equal(String(await (await running.connect()).inbox.next()), 'handler')
  const lines = running.log.filter(({ level }) => level === 40)
  t.match(lines, [{ msg: 'the wsHandler of the route / is not used: with websocket: true its handler is the websocket handler' }])
  t.equal(lines.length, 1)
})

t.test('an object in the place of websocket: true means the same, and beside a wsHandler it is options only', async t => {
  const running = await start(t, app => {
    app.get('/only', { websocket: {} }, socket => { socket.send('only') })
    app.route({ method: 'GET', url: '/both', websocket: {}, handler: async () => 'plain', wsHandler: socket => { socket.send('both') } })
  })
  for (const name of ['only', 'both']) t.equal(String(await (await running.connect(`/${name}`)).inbox.next()), name)
  t.equal((await running.app.inject('/only')).statusCode, 404)
  t.equal((await running.app.inject('/both')).body, 'plain')
  t.same(running.log.filter(({ level }) => level >= 40), [])
})

t.test('an option of a route that is not known is refused where it is declared', async t => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(websocket)
  const options: object = { nothing: 5 }

  t.throws(() => app.get('/', { websocket: options }, noop), { code: 'FST_WS_INVALID_OPTION', message: /websocket\.nothing is not known/ })
})

for (const way of WAYS) {
  t.test(`with strictRoutes a route without a websocket handler refuses an upgrade as not found, over ${way}`, async t => {
    const running = await start(t, { over: transportOf(way), websocket: { strictRoutes: true } }, app => {
      app.setNotFoundHandler(async (_request, reply) => await reply.code(404).header('x-why', 'nothing').send('nothing here'))
      app.get('/plain', async () => 'plain')
      app.post('/posted', async () => 'posted')
      app.get('/', { websocket: true }, socket => { socket.send('hello') })
    })
    await t.rejects(connectBy(t, way, running, '/plain'), { message: 'Unexpected server response: 404' })
    t.equal(String(await (await connectBy(t, way, running)).inbox.next()), 'hello')
    t.equal((await running.app.inject('/plain')).body, 'plain')
    const client = await running.raw()
    t.match(await client.upgrade('/plain').readResponse(), { status: 404, body: 'nothing here', headers: { 'x-why': 'nothing', connection: 'close' } })
    t.equal((await (await running.raw()).write(upgradeHead('/posted').replace('GET', 'POST')).readResponse()).status, 404)
    t.notOk(running.log.some(({ msg }) => msg.startsWith('closed incoming')))
  })
}

for (const over of TRANSPORTS) {
  t.test(`with strictRoutes a plain request to a websocket route is told to upgrade, over ${over}`, async t => {
    const running = await start(t, { over, websocket: { strictRoutes: true } }, app => {
      app.setErrorHandler(async (error: FastifyError, _request, reply) => await reply.code(error.statusCode ?? 500).send(error.code))
      app.get('/', { websocket: true }, noop)
      app.route({ method: 'GET', url: '/both', handler: async () => 'plain', wsHandler: noop })
    })
    const client = await running.raw()
    for (let i = 0; i < 2; i++) {
      const response = await client.request('GET', '/').readResponse()
      t.match(response, { status: 426, headers: { upgrade: 'websocket', connection: 'Upgrade' }, body: 'FST_WS_UPGRADE_REQUIRED' })
    }
    t.match(await client.request('HEAD', '/').readResponse({ head: true }), { status: 426, headers: { upgrade: 'websocket' } })
    t.match(await client.request('GET', '/both').readResponse(), { status: 200, body: 'plain' }, 'the connection is kept')
    t.match(await running.app.inject('/'), { statusCode: 426, headers: { upgrade: 'websocket' } })
  })
}

t.test('with strictRoutes a request over HTTP/2 is told so without headers that it has not', async t => {
  const running = await start(t, { over: 'http2', websocket: { strictRoutes: true } }, app => { app.get('/', { websocket: true }, noop) })
  const session = connect(running.url(), { ca: certificate.cert })
  t.teardown(() => { session.destroy() })
  const [headers] = await within(once(session.request({ ':path': '/' }), 'response'), 'the response')
  t.equal(headers[':status'], 426)
  t.notOk('upgrade' in headers)
})

t.test('a function may stand in front of a websocket handler, from an onRoute hook, and of nothing else', async t => {
  const wrapped: Array<[string, boolean]> = []
  const running = await start(t, app => {
    app.addHook('onRoute', route => {
      const isWrapped = wrapHandler(route, handler => function (socket, request) {
        socket.send('in front')
        return handler.call(this, socket, request)
      })
      if (route.method !== 'HEAD') wrapped.push([route.url, isWrapped])
    })
    app.get('/websocket', { websocket: true }, socket => { socket.send('hello') })
    app.route({ method: 'GET', url: '/both', handler: async () => 'plain', wsHandler: socket => { socket.send('hello') } })
    app.get('/plain', async () => 'plain')
  })

  t.strictSame(wrapped, [['/websocket', true], ['/both', true], ['/plain', false]])
  t.equal(wrapHandler({ method: 'GET', url: '/', handler: noop }, handler => handler), false)
  for (const path of ['/websocket', '/both']) {
    const { inbox } = await running.connect(path)
    t.equal(String(await inbox.next()), 'in front')
    t.equal(String(await inbox.next()), 'hello')
  }
  t.equal((await running.app.inject('/both')).body, 'plain')
})
