import t from 'tap'
import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import fastify, { type FastifyServerOptions } from 'fastify'
import { OwnRoutes } from '../src/own-routes'
import { checkLeaksAtEnd } from './helpers/leaks'

checkLeaksAtEnd(t)

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
  { route: '/nested/:n(^(?:a(?:b(?:c|d))))', matches: ['/nested/abc', '/nested/abd'], others: ['/nested/ab'] },
  { route: '/semicolon', matches: ['/semicolon;a=b', '/semicolon?a'], others: ['/semicolo;n'], options: { useSemicolonDelimiter: true } },
  { route: '/rewritten', matches: ['/before?a=b'], others: ['/rewritten'], options: { rewriteUrl: ({ url }) => url === '/before?a=b' ? '/rewritten?a=b' : '/none' } },
  { route: '/caf\u00e9', matches: ['/caf%C3%A9'], others: ['/cafe'] },
  { route: '/lax', matches: ['/lax/', '/LAX', '//lax'], others: ['/la'], options: { routerOptions: { ignoreTrailingSlash: true, ignoreDuplicateSlashes: true, caseSensitive: false } } }
]
for (const { route, matches, others, options } of cases) {
  t.test(`tells which upgrades are for ${route}`, async t => {
    const app = fastify(options)
    const routes = new OwnRoutes(app)
    app.addHook('onRoute', route => { if (route.method === 'GET') routes.add(route) })
    app.get(route, async () => '')
    await app.ready()

    for (const url of matches) t.equal(routes.matches(asking(url)), true, url)
    for (const url of others) t.equal(routes.matches(asking(url)), false, url)
  })
}

t.test('does not take another route, which matches too, for a websocket route', async t => {
  const app = fastify()
  const routes = new OwnRoutes(app)
  app.get('/users/:id', async () => '')
  app.get('/users/me', async () => '')
  app.get('*', async () => '')
  routes.add({ url: '/users/me' })

  t.equal(routes.matches(asking('/users/me')), true)
  t.equal(routes.matches(asking('/users/you')), false)
  t.equal(routes.matches(asking('/nowhere')), false)
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
  const routes = new OwnRoutes(app)
  app.addHook('onRoute', route => { if (route.method === 'GET') routes.add(route) })
  app.get('/versioned', { constraints: { version: '1.2.0' } }, async () => '')
  app.get('/hosted', { constraints: { host: /\.ours\.example$/ } }, async () => '')
  app.get('/secret', { constraints: { secret: 'alpha' } }, async () => '')
  await app.ready()
  const matches = (url: string, headers: IncomingMessage['headers'] = {}): boolean => routes.matches(asking(url, headers))

  t.equal(matches('/versioned', { 'accept-version': '1.x' }), true)
  t.equal(matches('/versioned', { 'accept-version': '2.x' }), false)
  t.equal(matches('/versioned'), false)
  t.equal(matches('/hosted', { host: 'a.ours.example' }), true)
  t.equal(matches('/hosted', { host: 'theirs.example' }), false)
  t.equal(matches('/secret'), true, 'a strategy of the application counts as a match')
})

t.test('takes a parameter that is too long for ours, because the router answers it', async t => {
  const app = fastify({ routerOptions: { maxParamLength: 3 } })
  const routes = new OwnRoutes(app)
  routes.add({ url: '/users/:id' })

  t.equal(routes.matches(asking('/users/123')), true)
  t.equal(routes.matches(asking('/users/1234')), true)
  t.equal(routes.matches(asking('/others/1234')), false)
})

t.test('leaves the request as it is, and asks for a route whatever its method', async t => {
  const app = fastify({ rewriteUrl: () => '/other' })
  const routes = new OwnRoutes(app)
  routes.add({ url: '/other' })
  const request = Object.assign(asking('/url'), { method: 'POST' })

  t.equal(routes.matches(request), true)
  t.match(request, { url: '/url', method: 'POST' })
})

t.test('knows routes that are added after it was asked, twice the same too, and what it is given for an application', async t => {
  const routes = new OwnRoutes(Object.create(null))
  routes.add({ url: '/first' })
  routes.add({ url: '/first' })
  t.equal(routes.matches(asking('/first')), true)
  t.equal(routes.matches(asking('/second')), false)
  routes.add({ url: '/second' })
  t.equal(routes.matches(asking('/second')), true)
})

t.test('takes a request without a URL for one of the root', async t => {
  const app = fastify()
  const routes = new OwnRoutes(app)
  app.get('/', async () => '')
  routes.add({ url: '/' })

  t.equal(routes.matches(asking(undefined)), true)
})

function asking (url: string | undefined, headers: IncomingMessage['headers'] = {}): IncomingMessage {
  return Object.assign(new IncomingMessage(new Socket()), { url, headers })
}
