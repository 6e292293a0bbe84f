// Other 'upgrade' listeners on the same HTTP server keep the upgrades that are theirs.
import t, { type Test } from 'tap'
import httpProxy from '@fastify/http-proxy'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { WebSocketServer } from 'ws'
import websocket from '../../src'
import { type Running, start, type StartOptions, TRANSPORTS } from '../helpers/app'
import { assertServerHoldsNothing, checkLeaksAtEnd } from '../helpers/leaks'
import { within } from '../helpers/limit'
import { frame, type Headers, type RawClient } from '../helpers/raw-client'
import { assertRefusal } from '../helpers/refusal'

checkLeaksAtEnd(t)

type Listener = (rawRequest: IncomingMessage, rawSocket: Socket, head: Buffer) => void

const H2C = { Connection: 'Upgrade', Upgrade: 'h2c' }
const BRIEF = { handshakeTimeout: 50 }

for (const over of TRANSPORTS) {
  for (const order of ['first', 'last'] as const) {
    t.test(`over ${over}, where the other listener was added ${order}`, async t => {
      async function open (t: Test, other: Listener, options: StartOptions['websocket'] = {}): Promise<Running> {
        return await start(t, { over, websocket: false }, async app => {
          if (order === 'first') app.server.on('upgrade', other)
          await app.register(websocket, options || {})
          if (order === 'last') app.server.on('upgrade', other)
          declare(app)
        })
      }

      t.test('leaves another websocket server its path, and keeps its own routes', async t => {
        const running = await open(t, otherServer(t))
        const theirs = await running.connect('/other')
        const ours = await running.connect('/ours')
        theirs.socket.send('hello')
        ours.socket.send('hello')

        t.equal(String(await theirs.inbox.next()), 'theirs: hello')
        t.equal(String(await ours.inbox.next()), 'ours: hello')
      })

      t.test('leaves an upgrade to a listener that takes it later', async t => {
        const running = await open(t, onlyAt('/other', (rawRequest, rawSocket) => { setTimeout(answer, 20, rawRequest, rawSocket) }), BRIEF)
        const client = await running.raw()
        client.upgrade('/other')

        await assertTaken(t, client)
        // After the time at which it would have been answered, had nobody taken it.
        await sleep(2 * BRIEF.handshakeTimeout)
        await assertLeft(t, running, client)
      })

      t.test('leaves an upgrade of a route of its own alone once another listener has taken it', async t => {
        const running = await open(t, onlyAt('/ours', answer))
        const client = await running.raw()
        client.upgrade('/ours')

        await assertTaken(t, client)
        await assertLeft(t, running, client)
      })

      t.test('leaves an upgrade alone that another listener has refused', async t => {
        const running = await open(t, onlyAt('/ours', (rawRequest, rawSocket) => { rawSocket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n') }))
        const client = await running.raw()
        client.upgrade('/ours')

        t.equal((await client.readResponse()).status, 403)
        t.equal((await client.readUntilClose()).length, 0)
        await assertLeft(t, running, client)
      })

      t.test('leaves an upgrade alone that another listener has cut', async t => {
        const running = await open(t, onlyAt('/ours', (rawRequest, rawSocket) => { rawSocket.destroy() }))
        const client = await running.raw()
        client.upgrade('/ours')

        t.equal((await client.readUntilClose()).length, 0)
        await assertLeft(t, running, client)
      })

      t.test('answers 404 after the handshake limit where nobody takes an upgrade', async t => {
        const running = await open(t, () => {}, BRIEF)

        await assertRefusal(t, running, { path: '/nobody', status: 404, body: /Route GET:\/nobody not found/ })
      })

      t.test('closes an upgrade to a plain route after the handshake limit where nobody takes it', async t => {
        const running = await open(t, () => {}, BRIEF)
        const { inbox } = await running.connect('/plain')

        t.equal((await inbox.closed).code, 1005)
      })

      t.test('leaves what is left to others to them when the application closes, and answers 503 where nobody takes it', async t => {
        const running = await open(t, onlyAt('/other', (rawRequest, rawSocket) => { running.server.once('answer', () => { answer(rawRequest, rawSocket) }) }), { handshakeTimeout: 300 })
        const other = await running.raw()
        const upgrades = once(running.server, 'upgrade')
        other.upgrade('/other')
        await within(upgrades, 'the upgrade')
        const nobody = await running.raw()
        const upgrade = once(running.server, 'upgrade')
        nobody.upgrade('/nobody')
        await within(upgrade, 'the other upgrade')
        const closed = running.app.close()
        running.server.emit('answer')

        await assertTaken(t, other)
        t.equal((await nobody.readResponse()).status, 503)
        await assertLeft(t, running, other)
        await t.resolves(within(closed, 'app.close()'))
      })

      t.test('asks shouldHandle, where it is set, for every websocket upgrade and for nothing else', async t => {
        const asked: Array<string | undefined> = []
        const shouldHandle = ({ url }: IncomingMessage) => {
          asked.push(url)
          return url !== '/ours'
        }
        const running = await open(t, onlyAt('/ours', (rawRequest, rawSocket) => { setImmediate(answer, rawRequest, rawSocket) }), { shouldHandle })
        const client = await running.raw()
        t.equal((await client.request('GET', '/plain').readResponse()).body, 'plain')
        t.equal((await client.request('GET', '/plain', H2C).readResponse()).body, 'plain')
        t.equal((await client.upgrade('/ours').readResponse()).status, 101)
        t.equal((await (await running.raw()).upgrade('/nobody').readResponse()).status, 404)

        t.same(asked, ['/ours', '/nobody'])
      })

      t.test('lives through a reset of an upgrade that is left to others', async t => {
        const running = await open(t, () => {}, BRIEF)
        for (let i = 0; i < 20; i++) {
          const client = await running.raw()
          const upgrade = once(running.server, 'upgrade')
          client.upgrade(i % 2 === 0 ? '/nobody' : '/ours')
          await within(upgrade, 'the upgrade')
          if (i % 4 > 1) await new Promise(setImmediate)
          client.reset()
        }

        await assertServerHoldsNothing(t, running.server)
        const { socket, inbox } = await running.connect('/ours')
        socket.send('hello')
        t.equal(String(await inbox.next()), 'ours: hello')
      })
    })
  }

  t.test(`over ${over}, matches its routes as the router does`, async t => {
    const running = await start(t, { over, fastify: { routerOptions: { ignoreTrailingSlash: true, caseSensitive: false } } }, app => {
      app.server.on('upgrade', onlyAt('', answer))
      for (const url of ['/static', '/users/:id', '/files/*', '/range/:from-:to', '/number/:n(^\\d+$)', '/maybe/:x?', '/a::b']) {
        app.get(url, { websocket: true }, (socket, request) => { socket.send(JSON.stringify(request.params)) })
      }
      app.register(async scope => {
        scope.get('/inside', { websocket: true }, socket => { socket.send('{}') })
      }, { prefix: '/prefix' })
      app.get('/versioned', { websocket: true, constraints: { version: '1.2.0' } }, socket => { socket.send('{}') })
      app.get('/hosted', { websocket: true, constraints: { host: 'ours.example' } }, socket => { socket.send('{}') })
      app.get('/plain/:id', async () => 'plain')
    })

    const ours: Array<[path: string, params: object, headers?: Headers]> = [
      ['/static', {}],
      ['/static?a=b', {}],
      ['/STATIC/', {}],
      ['/users/a%20b', { id: 'a b' }],
      ['/users/50%25', { id: '50%' }],
      ['/files/a/b', { '*': 'a/b' }],
      ['/range/1-2', { from: '1', to: '2' }],
      ['/number/7', { n: '7' }],
      ['/maybe', {}],
      ['/maybe/y', { x: 'y' }],
      ['/a:b', {}],
      ['/prefix/inside', {}],
      ['/versioned', {}, { 'Accept-Version': '1.x' }],
      ['/hosted', {}, { Host: 'ours.example' }]
    ]
    for (const [path, params, headers] of ours) {
      t.test(`takes ${path}`, async t => {
        const client = await running.raw()
        client.upgrade(path, headers)
        t.equal((await client.readResponse()).status, 101)
        t.same(JSON.parse(String((await client.readFrame()).payload)), params)
      })
    }

    const theirs: Array<[path: string, headers?: Headers]> = [
      ['/'], ['/stati'], ['/static/x'], ['/users/a/b'], ['/number/x'], ['/plain/1'], ['/inside'], ['/%E0%A4%A'],
      ['/versioned', { 'Accept-Version': '2.x' }], ['/hosted', { Host: 'theirs.example' }]
    ]
    for (const [path, headers] of theirs) {
      t.test(`leaves ${path}`, async t => {
        const client = await running.raw()
        client.upgrade(path, headers)
        await assertTaken(t, client)
      })
    }
  })
}

t.test("beside vite's dev server, both get their websockets", async t => {
  const { createServer } = await import('vite')
  const root = t.testdir({ 'index.html': '<p>page</p>' })
  let vite: Awaited<ReturnType<typeof createServer>> | undefined
  const running = await start(t, async app => {
    vite = await createServer({
      root,
      configFile: false,
      logLevel: 'silent',
      cacheDir: `${root}/cache`,
      server: { middlewareMode: true, hmr: { server: app.server }, watch: null },
      optimizeDeps: { noDiscovery: true }
    })
    app.addHook('onClose', async () => { await vite?.close() })
    declare(app)
  })
  const token = vite?.config.webSocketToken
  const hot = await running.connect(`/?token=${token}`, { protocols: 'vite-hmr' })
  const ours = await running.connect('/ours')
  ours.socket.send('hello')

  t.match(JSON.parse(String(await hot.inbox.next())), { type: 'connected' })
  t.equal(String(await ours.inbox.next()), 'ours: hello')
})

for (const order of ['before', 'after'] as const) {
  t.test(`beside @fastify/http-proxy registered ${order} it, both get their websockets`, async t => {
    const upstream = await start(t, declare)
    const proxy = (app: FastifyInstance) => app.register(httpProxy, { upstream: upstream.url(), prefix: '/proxied', rewritePrefix: '/', websocket: true })
    const running = await start(t, { websocket: false }, async app => {
      if (order === 'before') await proxy(app)
      await app.register(websocket, BRIEF)
      if (order === 'after') await proxy(app)
      declare(app)
    })
    const proxied = await running.connect('/proxied/ours')
    const ours = await running.connect('/ours')
    proxied.socket.send('hello')
    ours.socket.send('hello')

    t.equal(String(await proxied.inbox.next()), 'ours: hello')
    t.equal(String(await ours.inbox.next()), 'ours: hello')
    t.equal((await (await running.raw()).upgrade('/nobody').readResponse()).status, 404)
    proxied.socket.close(4001, 'done')
    t.match(await proxied.inbox.closed, { code: 4001 })
  })
}

function declare (app: FastifyInstance): void {
  app.get('/ours', { websocket: true }, socket => { socket.on('message', data => { socket.send(`ours: ${String(data)}`) }) })
  app.get('/plain', async () => 'plain')
}

function otherServer (t: Test): Listener {
  const server = new WebSocketServer({ noServer: true })
  t.teardown(() => {
    for (const client of server.clients) client.terminate()
    server.close()
  })
  server.on('connection', socket => { socket.on('message', data => { socket.send(`theirs: ${String(data)}`) }) })
  return onlyAt('/other', (rawRequest, rawSocket, head) => {
    server.handleUpgrade(rawRequest, rawSocket, head, socket => { server.emit('connection', socket, rawRequest) })
  })
}

// An empty path takes what nobody has taken a while later.
function onlyAt (path: string, listener: Listener): Listener {
  return (rawRequest, rawSocket, head) => {
    if (rawRequest.url === path) listener(rawRequest, rawSocket, head)
    if (path === '') setTimeout(takeUntaken, 20, rawRequest, rawSocket, head, listener)
  }
}

function takeUntaken (rawRequest: IncomingMessage, rawSocket: Socket, head: Buffer, listener: Listener): void {
  if (rawSocket.bytesWritten === 0) listener(rawRequest, rawSocket, head)
}

// A peer that speaks websocket just enough: a frame tells who took the upgrade.
function answer (rawRequest: IncomingMessage, rawSocket: Socket): void {
  const key = `${rawRequest.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`
  const accept = createHash('sha1').update(key).digest('base64')
  rawSocket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`)
  rawSocket.write(frame('text', 'taken', { mask: false }))
  rawSocket.on('data', () => {})
  rawSocket.on('end', () => { rawSocket.end() })
}

async function assertTaken (t: Test, client: RawClient): Promise<void> {
  t.equal((await client.readResponse()).status, 101)
  t.equal(String((await client.readFrame()).payload), 'taken')
}

// Nothing more comes, and the application had no request for it.
async function assertLeft (t: Test, running: Running, client: RawClient): Promise<void> {
  client.fin()
  t.equal((await client.readUntilClose()).length, 0)
  t.same(running.log.filter(({ msg }) => msg === 'incoming request'), [])
  await assertServerHoldsNothing(t, running.server)
}
