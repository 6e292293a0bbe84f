import t from 'tap'
import { once } from 'node:events'
import { createServer, IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import fastify, { type FastifyServerOptions } from 'fastify'
import { isTaken, WebsocketRoutes } from '../src/neighbours'
import { checkLeaksAtEnd } from './helpers/leaks'

checkLeaksAtEnd(t)

t.test('takes a socket for untouched while nobody has read from it, written to it or ended it', async t => {
  const { rawRequest, rawSocket } = await upgraded()
  rawSocket.on('error', () => {})
  rawSocket.setNoDelay(true)

  t.equal(isTaken(rawRequest, rawSocket), false)
})

const takings: Record<string, (rawSocket: Socket, rawRequest: IncomingMessage) => void> = {
  'reads what arrives': rawSocket => { rawSocket.on('data', () => {}) },
  'reads when something has arrived': rawSocket => { rawSocket.on('readable', () => {}) },
  'has ended it': rawSocket => { rawSocket.end() },
  'has cut it': rawSocket => { rawSocket.destroy() },
  'has given it to a response': (rawSocket, rawRequest) => { new ServerResponse(rawRequest).assignSocket(rawSocket) }
}
for (const [name, take] of Object.entries(takings)) {
  t.test(`takes a socket for taken where another listener ${name}`, async t => {
    const { rawRequest, rawSocket } = await upgraded()
    take(rawSocket, rawRequest)

    t.equal(isTaken(rawRequest, rawSocket), true)
  })
}

t.test('does not take an earlier response on the connection for an answer', async t => {
  const { rawRequest, rawSocket } = await upgraded()
  new ServerResponse(new IncomingMessage(rawSocket)).assignSocket(rawSocket)

  t.equal(isTaken(rawRequest, rawSocket), false)
})

interface Case {
  route: string;
  matches: string[];
  others: string[];
  options?: FastifyServerOptions;
}

const cases: Case[] = [
  { route: '/static', matches: ['/static', '/static?a=/b', '/static#x'], others: ['/', '/static/', '/Static', '/static/x', '/%E0%A4%A'] },
  { route: '/', matches: ['/', '/?a'], others: ['/x'] },
  { route: '/users/:id', matches: ['/users/1', '/users/a%20b', '/users/50%25', '/users/a%2Fb', '/users/%2525'], others: ['/users/a/b', '/users'] },
  { route: '/users/:id/posts/:post', matches: ['/users/1/posts/2'], others: ['/users/1/posts'] },
  { route: '/files/*', matches: ['/files/', '/files/a/b'], others: ['/file'] },
  { route: '*', matches: ['/', '/a/b'], others: [] },
  { route: '/range/:from-:to', matches: ['/range/1-2'], others: ['/range/1'] },
  { route: '/image/:name.:type', matches: ['/image/a.png'], others: ['/image/a'] },
  { route: '/number/:n(^\\d+$)', matches: ['/number/7'], others: ['/number/x'] },
  { route: '/pair/:n((?:a|b)+)', matches: ['/pair/ab'], others: ['/pair/c'] },
  { route: '/maybe/:x?', matches: ['/maybe', '/maybe/y'], others: ['/maybe/y/z'] },
  { route: '/a::b', matches: ['/a:b'], others: ['/a::b'] },
  { route: '/caf\u00e9', matches: ['/caf%C3%A9'], others: ['/cafe'] },
  { route: '/lax', matches: ['/lax/', '/LAX', '//lax'], others: ['/la'], options: { routerOptions: { ignoreTrailingSlash: true, ignoreDuplicateSlashes: true, caseSensitive: false } } }
]
for (const { route, matches, others, options } of cases) {
  t.test(`tells which upgrades are for ${route}`, async t => {
    const app = fastify(options)
    const routes = new WebsocketRoutes()
    app.addHook('onRoute', route => { if (route.method === 'GET') routes.add(route) })
    app.get(route, async () => '')
    await app.ready()

    for (const url of matches) t.equal(routes.matches(app, asking(url)), true, url)
    for (const url of others) t.equal(routes.matches(app, asking(url)), false, url)
  })
}

t.test('does not take another route, which matches too, for a websocket route', async t => {
  const app = fastify()
  const routes = new WebsocketRoutes()
  app.get('/users/:id', async () => '')
  app.get('/users/me', async () => '')
  app.get('*', async () => '')
  routes.add({ url: '/users/me' })

  t.equal(routes.matches(app, asking('/users/me')), true)
  t.equal(routes.matches(app, asking('/users/you')), false)
  t.equal(routes.matches(app, asking('/nowhere')), false)
})

t.test('asks the constraints of a route as the router does', async t => {
  const app = fastify()
  app.addConstraintStrategy({
    name: 'secret',
    storage: () => {
      const handlers = new Map<unknown, unknown>()
      return { get: key => handlers.get(key) as never, set: (key, handler) => { handlers.set(key, handler) } }
    },
    deriveConstraint: ({ headers }) => headers['secret' as never],
    validate: () => {}
  })
  const routes = new WebsocketRoutes()
  app.addHook('onRoute', route => { if (route.method === 'GET') routes.add(route) })
  app.get('/versioned', { constraints: { version: '1.2.0' } }, async () => '')
  app.get('/hosted', { constraints: { host: /\.ours\.example$/ } }, async () => '')
  app.get('/secret', { constraints: { secret: 'alpha' } }, async () => '')
  await app.ready()
  const matches = (url: string, headers: IncomingMessage['headers'] = {}): boolean => routes.matches(app, asking(url, headers))

  t.equal(matches('/versioned', { 'accept-version': '1.x' }), true)
  t.equal(matches('/versioned', { 'accept-version': '2.x' }), false)
  t.equal(matches('/versioned'), false)
  t.equal(matches('/hosted', { host: 'a.ours.example' }), true)
  t.equal(matches('/hosted', { host: 'theirs.example' }), false)
  t.equal(matches('/secret'), true, 'a strategy of the application counts as a match')
})

t.test('takes a request without a URL for one of the root', async t => {
  const app = fastify()
  const routes = new WebsocketRoutes()
  app.get('/', async () => '')
  routes.add({ url: '/' })

  t.equal(routes.matches(app, asking(undefined)), true)
})

// A real upgrade, as the listeners of a server get it.
async function upgraded (): Promise<{ rawRequest: IncomingMessage, rawSocket: Socket }> {
  const server = createServer()
  const rawSocket = new Socket()
  const upgrade = once(server, 'upgrade')
  server.emit('connection', rawSocket)
  rawSocket.emit('data', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'))
  const [rawRequest] = await upgrade
  return { rawRequest, rawSocket }
}

function asking (url: string | undefined, headers: IncomingMessage['headers'] = {}): IncomingMessage {
  return Object.assign(new IncomingMessage(new Socket()), { url, headers })
}
