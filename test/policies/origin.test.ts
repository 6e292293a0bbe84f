import t, { type Test } from 'tap'
import fastify from 'fastify'
import type { FastifyError, FastifyServerOptions } from 'fastify'
import type { WebsocketConnectionOptions } from '../../types'
import websocket from '../../src'
import { start, type Running } from '../helpers/app'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { assertRefusal } from '../helpers/refusal'
import { echo } from '../helpers/routes'
import { connectBy, isInMemory, transportOf, WAYS } from '../helpers/ways'

checkLeaksAtEnd(t)

type Headers = Record<string, string>

async function statusOf (running: Running, headers: Headers): Promise<number> {
  const client = await running.raw()
  const { status } = await client.upgrade('/', headers).readResponse()
  client.destroy()
  return status
}

async function assertStatuses (t: Test, running: Running, requests: ReadonlyArray<readonly [status: number, headers: Headers]>): Promise<void> {
  for (const [status, headers] of requests) t.equal(await statusOf(running, headers), status, JSON.stringify(headers))
}

for (const way of WAYS) {
  t.test(`lets pages of its own in, no others, and who is no browser, over ${way}`, async t => {
    const running = await start(t, { over: transportOf(way), websocket: { origin: true } }, echo)
    const own = isInMemory(way) ? `http${running.secure ? 's' : ''}://localhost` : running.url('')
    await t.resolves(connectBy(t, way, running, '/', { origin: own }))
    await t.resolves(connectBy(t, way, running))
    for (const origin of ['https://evil.example', `${own}.evil.example`, own.replace(/^http(s?)/, (_all, s) => s ? 'http' : 'https'), 'null']) {
      await t.rejects(connectBy(t, way, running, '/', { origin }), { message: 'Unexpected server response: 403' }, origin)
    }
  })
}

const HOST = { Host: 'app.example:8080' }
const PROXIED = { Host: 'internal:3000', 'X-Forwarded-Host': 'app.example', 'X-Forwarded-Proto': 'https' }

const sameOrigin: Array<[string, FastifyServerOptions, Array<[number, Headers]>]> = [
  ['compares scheme, host and port', {}, [
    [101, { ...HOST, Origin: 'http://app.example:8080' }],
    [101, { ...HOST, Origin: 'HTTP://APP.Example:8080' }],
    [101, { Host: 'APP.example:8080', Origin: 'http://app.example:8080' }],
    [403, { ...HOST, Origin: 'https://app.example:8080' }],
    [403, { ...HOST, Origin: 'http://app.example' }],
    [403, { ...HOST, Origin: 'http://app.example:80' }],
    [403, { ...HOST, Origin: 'http://sub.app.example:8080' }],
    [403, { ...HOST, Origin: 'http://example:8080' }]
  ]],
  ['knows default ports', {}, [
    [101, { Host: 'app.example', Origin: 'http://app.example:80' }],
    [101, { Host: 'app.example:80', Origin: 'http://app.example' }],
    [403, { Host: 'app.example', Origin: 'http://app.example:443' }]
  ]],
  ['knows IPv6', {}, [
    [101, { Host: '[::1]:3000', Origin: 'http://[::1]:3000' }],
    [101, { Host: '[0:0:0:0:0:0:0:1]', Origin: 'http://[::1]' }],
    [403, { Host: '[::1]:3000', Origin: 'http://[::2]:3000' }],
    [403, { Host: '[::1]:3000', Origin: 'http://[::1]' }]
  ]],
  ['takes a trailing dot for what it is to a browser, another origin', {}, [
    [101, { Host: 'app.example.', Origin: 'http://app.example.' }],
    [403, { Host: 'app.example', Origin: 'http://app.example.' }]
  ]],
  ['refuses what is no origin', {}, [
    [403, { ...HOST, Origin: '' }],
    [403, { ...HOST, Origin: 'null' }],
    [403, { ...HOST, Origin: 'app.example:8080' }],
    [403, { ...HOST, Origin: 'http://app.example:8080/' }],
    [403, { ...HOST, Origin: 'http://app.example:8080/path' }],
    [403, { ...HOST, Origin: 'http://user@app.example:8080' }],
    [403, { ...HOST, Origin: 'http://app.example:8080@evil.example' }],
    [403, { ...HOST, Origin: 'http://app.example:8080#.evil.example' }],
    [403, { ...HOST, Origin: 'http://evil.example, http://app.example:8080' }],
    [403, { ...HOST, Origin: 'http://app.example:8080 http://evil.example' }],
    [403, { ...HOST, Origin: 'http://' }],
    [403, { Host: 'user@app.example', Origin: 'http://app.example' }],
    [403, { Host: '', Origin: 'null' }],
    [403, { Host: '', Origin: 'http://' }]
  ]],
  ['believes a proxy that is trusted', { trustProxy: true }, [
    [101, { ...PROXIED, Origin: 'https://app.example' }],
    [101, { ...PROXIED, Origin: 'https://app.example:443' }],
    [403, { ...PROXIED, Origin: 'http://app.example' }],
    [403, { ...PROXIED, Origin: 'http://internal:3000' }]
  ]],
  ['believes no proxy that is not', {}, [
    [403, { ...PROXIED, Origin: 'https://app.example' }],
    [101, { ...PROXIED, Origin: 'http://internal:3000' }]
  ]],
  ['believes no proxy at an address that is not trusted', { trustProxy: '10.0.0.1' }, [
    [403, { ...PROXIED, Origin: 'https://app.example' }]
  ]],
  ['reads the header of version 8', {}, [
    [403, { ...HOST, 'Sec-WebSocket-Version': '8', 'Sec-WebSocket-Origin': 'http://evil.example' }],
    [101, { ...HOST, 'Sec-WebSocket-Version': '8', 'Sec-WebSocket-Origin': 'http://app.example:8080' }]
  ]]
]

for (const [name, options, requests] of sameOrigin) {
  t.test(`'same-origin' ${name}`, async t => {
    const running = await start(t, { fastify: options, websocket: { origin: 'same-origin' } }, echo)
    await assertStatuses(t, running, requests)
  })
}

const rules: Array<[string, WebsocketConnectionOptions['origin'], allowed: string[], refused: string[]]> = [
  ['a string', 'https://App.example:443', ['https://app.example', 'https://app.example:443', 'HTTPS://APP.EXAMPLE'], ['http://app.example', 'https://app.example.', 'https://app.example.evil', 'https://app.example:8443', 'null']],
  ['a string with a name of another script', 'https://bücher.example', ['https://xn--bcher-kva.example'], ['https://bucher.example']],
  ['a string with another scheme', 'capacitor://localhost', ['capacitor://localhost', 'CAPACITOR://LOCALHOST'], ['http://localhost', 'capacitor://localhost.evil', 'capacitor://']],
  ['an extension', 'chrome-extension://abcdefghijklmnop', ['chrome-extension://abcdefghijklmnop'], ['chrome-extension://abcdefghijklmnopq', 'null']],
  ["'file://'", 'file://', ['file://'], ['null', 'http://file']],
  ["'null'", 'null', ['null'], ['https://null', 'NULL', '']],
  ['a RegExp', /^https:\/\/[^.]+\.app\.example$/, ['https://one.app.example', 'https://ONE.app.example:443'], ['https://app.example', 'https://a.b.app.example', 'https://one.app.example.evil', 'https://x.evil/.app.example', 'https://evil, https://one.app.example']],
  ['a RegExp that remembers', /^https:\/\/app\.example/gy, ['https://app.example', 'https://app.example', 'https://app.example'], ['http://app.example']],
  ['a list', ['https://one.example', /\.two\.example$/, 'same-origin'], ['https://one.example', 'https://a.two.example'], ['https://three.example']],
  ['a function', origin => origin.endsWith('/'), ['https://app.example/', 'anything/'], ['https://app.example']],
  ['a promise', async (origin, request) => {
    await null
    return origin === request.headers.origin && origin === 'https://app.example'
  }, ['https://app.example'], ['https://other.example']]
]

for (const [name, origin, allowed, refused] of rules) {
  t.test(`allows for the origins of ${name}, and for no other`, async t => {
    const running = await start(t, { websocket: { origin } }, echo)
    await assertStatuses(t, running, [
      ...allowed.map(each => [101, { Origin: each }] as const),
      ...refused.map(each => [403, { Origin: each }] as const)
    ])
    t.equal(await statusOf(running, {}), 101)
  })
}

t.test('a route wins, and one that switches it off needs no origin at all', async t => {
  const running = await start(t, { websocket: { origin: 'https://app.example', requireOrigin: true } }, app => {
    app.get('/mine', { websocket: { origin: 'https://mine.example' } }, () => {})
    app.get('/lax', { websocket: { requireOrigin: false } }, () => {})
    for (const none of [false, null]) app.get(`/${none}`, { websocket: { origin: none } }, () => {})
    echo(app)
  })
  const statuses = async (path: string): Promise<number[]> => {
    const answers = ['https://app.example', 'https://mine.example', undefined].map(async origin => {
      const client = await running.raw()
      return (await client.upgrade(path, origin === undefined ? {} : { Origin: origin }).readResponse()).status
    })
    return await Promise.all(answers)
  }
  t.same(await statuses('/'), [101, 403, 403])
  t.same(await statuses('/mine'), [403, 101, 403])
  t.same(await statuses('/lax'), [101, 403, 101])
  t.same(await statuses('/false'), [101, 101, 101])
  t.same(await statuses('/null'), [101, 101, 101])
})

t.test("refuses through Fastify's error path, before anything of the request is parsed", async t => {
  const seen: string[] = []
  const running = await start(t, { websocket: { origin: true, requireOrigin: true } }, app => {
    app.setErrorHandler(async (error: FastifyError, _request, reply) => {
      seen.push(error.code)
      return await reply.code(error.statusCode ?? 500).header('x-why', 'origin').send({ refused: error.message })
    })
    app.addHook('onError', async () => { seen.push('onError') })
    app.addHook('preParsing', async () => { seen.push('preParsing') })
    app.addHook('preHandler', async () => { seen.push('preHandler') })
    app.get('/', { websocket: true, onRequest: async () => { seen.push('onRequest') }, handler: () => { seen.push('handler') } })
  })
  const client = await running.raw()
  t.match(await client.upgrade('/', { Origin: 'https://evil.example' }).readResponse(), { status: 403, headers: { 'x-why': 'origin' }, body: '{"refused":"the origin https://evil.example may not open a websocket here"}' })
  t.same(seen.splice(0), ['onError', 'FST_WS_ORIGIN_REFUSED'])
  await assertRefusal(t, running, { status: 403, body: '{"refused":"a websocket needs an Origin header here"}' })
})

t.test('refuses by what a function throws', async t => {
  const running = await start(t, { websocket: { origin: () => { throw Object.assign(new Error('asleep'), { statusCode: 503 }) } } }, echo)
  t.equal(await statusOf(running, { Origin: 'https://app.example' }), 503)
})

t.test('a plain request is not asked', async t => {
  const running = await start(t, { websocket: { origin: 'https://app.example', requireOrigin: true } }, app => {
    app.route({ method: 'GET', url: '/', handler: async () => 'plain', wsHandler: () => {} })
  })
  t.equal((await running.app.inject({ url: '/', headers: { origin: 'https://evil.example' } })).body, 'plain')
})

t.test('names what is wrong at the registration or the declaration', async t => {
  const wrong: Array<[object, RegExp]> = [
    ...['*', 'example.com', 'https://example.com/', 'https://example.com/path', 'https://*.example.com', 'https://user@example.com', '', 5, {}, []]
      .map((origin): [object, RegExp] => [{ origin }, /the option (websocket\.)?origin must be true, 'same-origin', an origin such as/]),
    [{ origin: ['https://example.com', true] }, /the option (websocket\.)?origin\[1\] must be/],
    [{ origin: true, requireOrigin: 'yes' }, /the option (websocket\.)?requireOrigin must be a boolean/],
    [{ requireOrigin: true }, /the option (websocket\.)?requireOrigin needs origin/],
    [{ origin: false, requireOrigin: true }, /the option (websocket\.)?requireOrigin needs origin/]
  ]
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(websocket)
  for (const [options, message] of wrong) {
    const other = fastify()
    await t.rejects(async () => await other.register(websocket, options), { code: 'FST_WS_INVALID_OPTION', message })
    await other.close()
    t.throws(() => app.get('/', { websocket: options }, () => {}), { code: 'FST_WS_INVALID_OPTION', message: new RegExp(message.source.replace('(websocket\\.)?', 'websocket\\.')) })
  }
})
