import { readFileSync } from 'node:fs'
import fastify from 'fastify'
import swagger from '@fastify/swagger'
import t from 'tap'
import websocket from '../../src'
import asyncapi from '../../src/asyncapi'
import { filesOfPage, POLICY } from '../../src/asyncapi/page'
import { toYaml } from '../../src/asyncapi/yaml'
import { build, info } from '../helpers/asyncapi'

const routePrefix = '/docs/asyncapi'

t.test('serves the document as JSON and as YAML, and a page', async t => {
  const app = await build(t, app => { app.get('/', { websocket: true }, () => {}) }, { routePrefix })
  const document = app.asyncapi()
  for (const [path, type, body] of [
    ['.json', 'application/json; charset=utf-8', JSON.stringify(document)],
    ['.yaml', 'application/yaml; charset=utf-8', toYaml(document)],
    ['/web-component.js', 'text/javascript; charset=utf-8', readFileSync(filesOfPage().script, 'utf8')],
    ['/style.css', 'text/css; charset=utf-8', readFileSync(filesOfPage().style, 'utf8')]
  ] as const) {
    const response = await app.inject(routePrefix + path)
    t.same([response.statusCode, response.headers['content-type']], [200, type], path)
    t.ok(response.body === body, `${path} is what it should be`)
  }
  const page = await app.inject(routePrefix)
  t.match(page, { statusCode: 200, headers: { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': POLICY } })
  t.match(page.body, /<title>An application<\/title>[^]*schemaUrl="asyncapi\.json"/)
})

t.test('serves nothing unless it is asked to', async t => {
  for (const options of [{}, { routePrefix: false as const }]) {
    const app = await build(t, () => {}, options)
    for (const path of ['/asyncapi', '/asyncapi.json', '/.json', '/false']) t.equal((await app.inject(path)).statusCode, 404, path)
  }
})

t.test('with a slash at its end the page is one level up, where its links lead right', async t => {
  const app = await build(t, () => {}, { routePrefix, fastify: { routerOptions: { ignoreTrailingSlash: true } } })
  for (const url of [`${routePrefix}/`, `${routePrefix}/?a=/`]) t.match(await app.inject(url), { statusCode: 302, headers: { location: '../asyncapi' } })
  for (const url of [routePrefix, `${routePrefix}?a=/`]) t.equal((await app.inject(url)).statusCode, 200)
})

t.test('is protected by the hooks of its instance, and is under its prefix', async t => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(websocket)
  await app.register(async scope => {
    scope.addHook('onRequest', async (request, reply) => { if (request.headers.authorization === undefined) await reply.code(401).send() })
    await scope.register(asyncapi, { info, routePrefix })
  }, { prefix: '/inner' })
  for (const path of ['', '.json', '.yaml', '/web-component.js', '/style.css']) {
    t.equal((await app.inject(`/inner${routePrefix}${path}`)).statusCode, 401, path)
    t.equal((await app.inject({ url: `/inner${routePrefix}${path}`, headers: { authorization: 'x' } })).statusCode, 200, path)
  }
})

t.test('is in no description, neither of the websockets nor of the HTTP API, which has no websockets', async t => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(websocket)
  await app.register(swagger, { openapi: {} })
  await app.register(asyncapi, { info, routePrefix })
  app.get('/socket', { websocket: true, schema: { summary: 'A websocket.' } }, () => {})
  app.get('/plain', async () => 'plain')
  await app.ready()
  t.same(Object.keys(app.swagger().paths ?? {}), ['/plain'])
  t.same(Object.values(app.asyncapi().channels).map(({ address }) => address), ['/socket'])
})

t.test('a document that cannot be made is answered with the error that says why', async t => {
  const app = await build(t, app => { app.get('/', { websocket: true, schema: { messages: { receive: { $ref: 'none#' } } } as object }, () => {}) }, { routePrefix })
  for (const path of ['', '.json', '.yaml']) {
    const response = await app.inject(routePrefix + path)
    t.equal(response.statusCode, 500)
    t.match(response.json(), { code: 'FST_WS_ASYNCAPI_UNKNOWN_REFERENCE' })
  }
})
