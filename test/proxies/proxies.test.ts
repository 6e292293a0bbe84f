// Real proxies in front of real processes, with the configuration that docs/deployment.md gives to users.
// On a machine without nginx or HAProxy what needs it is skipped; .ci/run installs both.
import { once } from 'node:events'
import * as http2 from 'node:http2'
import t, { type Test } from 'tap'
import { type ClientOptions, WebSocket } from 'ws'
import { readMessages } from '../../src/extras/testing'
import type { MessageInbox } from '../../types/testing'
import { certificate } from '../helpers/certificate'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { LIMIT, until, within } from '../helpers/limit'
import { connectRaw, frame, type Headers, type RawClient } from '../helpers/raw-client'
import { Instance } from './programs'
import { type Edit, haproxy, type Kind, nginx, Proxy } from './proxy'

checkLeaksAtEnd(t)
t.setTimeout(24 * LIMIT)
t.jobs = 2

// What a client may claim, and nobody should believe.
const SPOOFED = { 'X-Forwarded-For': '6.6.6.6', 'X-Forwarded-Proto': 'gopher', 'X-Forwarded-Host': 'elsewhere' }

for (const kind of [nginx, haproxy]) {
  t.test(`behind ${kind.name}`, { skip: skipWithout(kind) }, async t => {
    t.comment(kind.version)
    const { instance, proxy } = await start(t, kind)

    t.test('text, bytes and 1 MiB go both ways, and so does what comes in one packet with the upgrade', async t => {
      const { socket, inbox } = await connect(t, proxy.url())
      await inbox.next()
      for (const data of ['hello', Buffer.of(0, 255), Buffer.alloc(2 ** 20, 7)]) {
        socket.send(data)
        const message = await inbox.next()
        t.ok(message.data.equals(Buffer.from(data)))
        t.equal(message.isBinary, typeof data !== 'string')
      }

      const client = await raw(t, proxy)
      client.upgrade('/').write(frame('text', 'early'))
      t.equal((await client.readResponse()).status, 101)
      await client.readFrame()
      t.equal(String((await client.readFrame()).payload), 'early')
    })

    for (const secure of [false, true]) {
      t.test(`with trustProxy a request over ${secure ? 'TLS' : 'TCP'} has its client's address, protocol and host, whatever the client claims`, async t => {
        const url = proxy.url('/', { secure })
        const expected = { ip: '127.0.0.2', protocol: secure ? 'https' : 'http', host: new URL(url).host }

        const { inbox } = await connect(t, url, { localAddress: '127.0.0.2', headers: SPOOFED })
        t.match((await inbox.next()).json(), expected)
        const { ip, ...others } = expected
        const client = await raw(t, proxy, { secure })
        client.request('GET', '/', { ...SPOOFED, Host: others.host })
        t.match(JSON.parse((await client.readResponse()).body), { ...others, ip: '127.0.0.1' })
      })
    }

    t.test('a refusal arrives whole, also at clients that send ahead, and nothing stays behind', async t => {
      const clients = await Promise.all(Array.from({ length: 16 }, () => raw(t, proxy)))
      for (const [index, client] of clients.entries()) {
        client.upgrade('/refused')
        if (index % 2 === 1) client.write(frame('binary', Buffer.alloc(8 * 1024)))
      }
      for (const client of clients) {
        const { status, headers, body } = await client.readResponse()
        t.match({ status, headers }, { status: 401, headers: { 'www-authenticate': 'Bearer' } })
        t.equal(body, 'no'.repeat(50_000))
      }
      await instance.holds(0)
    })

    t.test('plain requests share connections to the application, before, between and after upgrades and refusals', async t => {
      const before = await instance.state()
      await assertTraffic(t, proxy)
      const connections = (await instance.state()).connections - before.connections
      // Each upgrade takes one for itself, and so does each refusal; 60 plain requests need few.
      t.ok(connections < 40, `${connections} connections for 60 plain requests, 10 upgrades and 10 refusals`)
    })

    t.test('a request that offers another protocol is the plain request that it is, with its body', async t => {
      const offer = { Connection: 'Upgrade, HTTP2-Settings', Upgrade: 'h2c', 'HTTP2-Settings': '' }
      const client = await raw(t, proxy)
      t.equal((await client.request('GET', '/health', offer).readResponse()).body, 'up')

      const body = JSON.stringify({ text: 'x'.repeat(100_000) })
      const other = await raw(t, proxy)
      other.request('POST', '/body', { ...offer, 'Content-Type': 'application/json', 'Content-Length': String(body.length) }, body)
      t.same(JSON.parse((await other.readResponse()).body), { length: 100_000 })
    })

    t.test('close codes go both ways, and a client that is cut leaves nothing', async t => {
      const first = await connect(t, proxy.url())
      first.socket.send('close 4000')
      t.same(await first.inbox.closed, { code: 4000, reason: 'as you wish' })

      const second = await connect(t, proxy.url())
      second.socket.close(4001)
      t.equal((await second.inbox.closed).code, 4001)

      const third = await raw(t, proxy)
      t.equal((await third.upgrade('/').readResponse()).status, 101)
      await instance.holds(1)
      third.reset()
      await instance.holds(0)
    })

    t.test('a reload of the proxy leaves open connections alone', async t => {
      const before = await Promise.all(Array.from({ length: 10 }, () => connect(t, proxy.url())))
      for (const { inbox } of before) await inbox.next()
      proxy.reload()

      for (let round = 0; round < 5; round++) {
        const after = await connect(t, proxy.url())
        await after.inbox.next()
        for (const client of [...before, after]) await assertEcho(t, client)
      }
    })

    t.test('a restart of the proxy cuts its connections: the application lets go of all, and serves those that come back', async t => {
      const clients = await Promise.all(Array.from({ length: 20 }, () => connect(t, proxy.url())))
      for (const { inbox } of clients) await inbox.next()
      await proxy.stop()
      for (const { inbox } of clients) t.equal((await inbox.closed).code, 1006)
      await instance.holds(0)

      await proxy.start()
      const again = await connect(t, proxy.url())
      await again.inbox.next()
      await assertEcho(t, again)
    })

    t.test('a deploy: SIGTERM with 200 open connections tells all of them, ends in time, and the other instance serves who waits or comes', async t => {
      const [old, other] = await Promise.all([Instance.start(t, 'old'), Instance.start(t, 'other')])
      const proxy = await Proxy.start(t, kind, [old, other])
      const clients = await connectUntil(t, proxy, 200)
      // Who does not answer its close frame keeps the old instance closing until its limit.
      const silent = await connectRaw(old.port)
      t.teardown(() => { silent.destroy() })
      t.equal((await silent.upgrade('/').readResponse()).status, 101)

      const waiting = Array.from({ length: 10 }, () => nameOf(t, proxy, '/slow').catch(String))
      await until(async () => (await old.state()).waiting > 0, 'an upgrade that waits at the old instance')

      const ended = old.terminate()
      const closes = await Promise.all(clients.old.map(({ inbox }) => inbox.closed))
      t.same(new Set(closes.map(({ code, reason }) => `${code} ${reason}`)), new Set(['1012 restarting']), 'each got the close code')

      const meanwhile = await Promise.all(Array.from({ length: 20 }, () => nameOf(t, proxy)))
      t.equal(await ended, 0, 'the old instance ends by itself, well before the 30 seconds that ws gives a silent client')
      const afterwards = await Promise.all(Array.from({ length: 20 }, () => nameOf(t, proxy)))
      t.same(new Set([...meanwhile, ...afterwards]), new Set(['other']), 'the other instance serves who comes')
      t.same(new Set(await Promise.all(waiting)), new Set(['other']), 'and who waited for the old one')
      for (const client of clients.other.slice(0, 20)) await assertEcho(t, client)
    })
  })
}

t.test('nginx', { skip: skipWithout(nginx) }, async t => {
  t.test('`Connection: upgrade` on every request, as many a configuration has it, hurts neither plain requests nor upgrades', async t => {
    const { proxy } = await start(t, nginx, [['$connection_upgrade;', '"upgrade";']])
    await assertTraffic(t, proxy)
  })

  t.test('without `proxy_http_version` an upgrade that nginx makes an HTTP/1.0 request of is the plain request that it is', async t => {
    const { proxy } = await start(t, nginx, [[/proxy_http_version 1\.1;/, '']])
    const { httpVersion } = await (await fetch(proxy.url(), { headers: { connection: 'close' } })).json() as { httpVersion: string }
    const client = await raw(t, proxy)
    const { status } = await client.upgrade('/only').readResponse()
    const isPassedOn = httpVersion === '1.1' // since nginx 1.29.7
    t.equal(status, isPassedOn ? 101 : 404, `the application sees HTTP/${httpVersion}`)
    t.equal(await (await fetch(proxy.url('/health'), { headers: { connection: 'close' } })).text(), 'up')
  })

  t.test('cuts a websocket that is idle for `proxy_read_timeout`, and a ping counts', async t => {
    await assertIdleLimit(t, await start(t, nginx, [['proxy_read_timeout  60s', 'proxy_read_timeout  1s']]))
  })

  t.test('answers 504 where hooks take longer than `proxy_read_timeout`', async t => {
    await assertGatewayTimeout(t, nginx, [['proxy_read_timeout  60s', 'proxy_read_timeout  1s']])
  })
})

t.test('HAProxy', { skip: skipWithout(haproxy) }, async t => {
  t.test('cuts a websocket that is idle for `timeout tunnel`, and a ping counts', async t => {
    await assertIdleLimit(t, await start(t, haproxy, [['timeout tunnel 60s', 'timeout tunnel 1s']]))
  })

  t.test('answers 504 where hooks take longer than `timeout server`', async t => {
    await assertGatewayTimeout(t, haproxy, [['timeout server 30s', 'timeout server 1s']])
  })

  t.test('makes an upgrade of the websocket that a client opens over HTTP/2 (RFC 8441)', async t => {
    const { instance, proxy } = await start(t, haproxy)
    const session = http2.connect(proxy.url('/', { secure: true }), { ca: certificate.cert, servername: 'localhost' })
    t.teardown(() => { session.destroy() })
    await within(once(session, 'remoteSettings'), 'the settings of HAProxy')
    t.equal(session.remoteSettings.enableConnectProtocol, true)

    const stream = session.request({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/', 'sec-websocket-version': '13' })
    const [headers] = await within(once(stream, 'response'), 'the response')
    t.equal(headers[':status'], 200)
    const [greeting] = await within(once(stream, 'data'), 'the first message')
    t.match(String(greeting), '"protocol":"https"')
    stream.write(frame('text', 'over HTTP/2'))
    t.equal(String((await within(once(stream, 'data'), 'the echo'))[0].subarray(2)), 'over HTTP/2')
    stream.destroy()
    await instance.holds(0)
  })
})

/** Why the tests of a proxy are skipped. */
function skipWithout ({ name, version }: Kind): string | false {
  return version === undefined ? `${name} is not installed` : false
}

async function start (t: Test, kind: Kind, edits: Edit[] = []): Promise<{ instance: Instance, proxy: Proxy }> {
  const instance = await Instance.start(t, 'only')
  return { instance, proxy: await Proxy.start(t, kind, [instance], edits) }
}

interface Client {
  socket: WebSocket;
  inbox: MessageInbox;
}

async function connect (t: Test, url: string, options: ClientOptions = {}): Promise<Client> {
  const socket = new WebSocket(url, { ca: certificate.cert, ...options })
  const inbox = readMessages(socket, { timeout: 2 * LIMIT })
  socket.on('error', ignore) // also of one that is cut before it is open
  t.teardown(() => { socket.terminate() })
  await within(once(socket, 'open'), `connecting to ${url}`, 2 * LIMIT)
  return { socket, inbox }
}

async function raw (t: Test, proxy: Proxy, { secure = false } = {}): Promise<RawClient> {
  const client = await connectRaw({ port: secure ? proxy.securePort : proxy.port, secure })
  t.teardown(() => { client.destroy() })
  return client
}

async function assertEcho (t: Test, { socket, inbox }: Client): Promise<void> {
  socket.send('still here')
  t.equal(String(await inbox.next()), 'still here')
}

/** Plain requests on one connection, and among them upgrades and refusals. */
async function assertTraffic (t: Test, proxy: Proxy): Promise<void> {
  const client = await raw(t, proxy)
  const headers: Headers = { Host: 'localhost' }
  for (let round = 0; round < 10; round++) {
    for (let n = 0; n < 5; n++) t.equal((await client.request('GET', '/health', headers).readResponse()).body, 'up')
    const body = JSON.stringify({ text: 'x'.repeat(1000) })
    client.request('POST', '/body', { ...headers, 'Content-Type': 'application/json', 'Content-Length': String(body.length) }, body)
    t.same(JSON.parse((await client.readResponse()).body), { length: 1000 })

    const refused = await raw(t, proxy)
    t.equal((await refused.upgrade('/refused').readResponse()).status, 401)
    const { socket, inbox } = await connect(t, proxy.url())
    t.match((await inbox.next()).json(), { name: 'only' })
    socket.close(1000)
    t.equal((await inbox.closed).code, 1000)
  }
}

/** With a limit of one second: who is silent is cut, who pings is not. */
async function assertIdleLimit (t: Test, { instance, proxy }: { instance: Instance, proxy: Proxy }): Promise<void> {
  const silent = await connect(t, proxy.url())
  const alive = await connect(t, proxy.url())
  const heartbeat = setInterval(() => { alive.socket.ping() }, 200)
  t.teardown(() => { clearInterval(heartbeat) })
  await alive.inbox.next()
  t.equal((await silent.inbox.closed).code, 1006)
  await assertEcho(t, alive)
  await instance.holds(1)
}

async function assertGatewayTimeout (t: Test, kind: Kind, edits: Edit[]): Promise<void> {
  const proxy = await Proxy.start(t, kind, [await Instance.start(t, 'old')], edits)
  const client = await raw(t, proxy)
  t.equal((await client.upgrade('/slow').readResponse()).status, 504)
}

/** The instance that serves a new connection. */
async function nameOf (t: Test, proxy: Proxy, path = '/'): Promise<string> {
  const { socket, inbox } = await connect(t, proxy.url(path))
  const { name } = (await inbox.next()).json<{ name: string }>()
  socket.close()
  return name
}

/** Connects until the old instance has so many clients or some more, and gives the clients of each. */
async function connectUntil (t: Test, proxy: Proxy, count: number): Promise<{ old: Client[], other: Client[] }> {
  const clients: { old: Client[], other: Client[] } = { old: [], other: [] }
  await until(async () => {
    await Promise.all(Array.from({ length: 25 }, async () => {
      const client = await connect(t, proxy.url())
      const { name } = (await client.inbox.next()).json<{ name: 'old' | 'other' }>()
      clients[name].push(client)
    }))
    return clients.old.length >= count
  }, `${count} clients`, 4 * LIMIT)
  return clients
}

function ignore (): void {}
