// A request that offers another protocol than websocket is the plain request it would be without the offer.
import t, { type Test } from 'tap'
import { execFile, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { FastifyInstance } from 'fastify'
import { type Running, start, type StartOptions, TRANSPORTS } from '../helpers/app'
import { assertServerHoldsNothing, checkLeaksAtEnd } from '../helpers/leaks'
import { LIMIT, within } from '../helpers/limit'
import { resolveBothLoopbacks } from '../helpers/loopbacks'
import { connectRaw, frame, type Headers, type RawClient } from '../helpers/raw-client'

checkLeaksAtEnd(t)

const SIZE = 2 * 1024 * 1024
const LARGE = Buffer.alloc(SIZE, 'large ')
const H2C = { Connection: 'Upgrade, HTTP2-Settings', Upgrade: 'h2c', 'HTTP2-Settings': 'AAMAAABkAAQCAAAAAAIAAAAA' }
const OFFERS: Headers[] = [
  H2C,
  { Connection: 'keep-alive, upgrade', Upgrade: 'h2c' },
  { Connection: 'Upgrade', Upgrade: 'TLS/1.0, HTTP/2.0' },
  { Connection: 'Upgrade', Upgrade: 'websockets' }
]

// Newer versions of Node ask whether a request is an upgrade only while nobody else listens for upgrades.
const COMPANY = ['alone', 'beside another listener'] as const

for (const over of TRANSPORTS) {
  for (const company of COMPANY) {
    t.test(`over ${over}, ${company}`, async t => {
      async function open (t: Test, options: StartOptions = {}): Promise<{ running: Running, client: RawClient }> {
        const running = await start(t, { over, ...options }, app => {
          if (company !== 'alone') app.server.on('upgrade', () => {})
          declare(app)
        })
        return { running, client: await running.raw() }
      }

      t.test('serves a GET with any other offer', async t => {
        const { client } = await open(t)
        for (const offer of OFFERS) {
          client.request('GET', '/?a=b', offer)
          t.match(await client.readResponse(), { status: 200, body: 'GET /?a=b false' })
        }
      })

      t.test('shows the application the headers that were sent', async t => {
        const { client } = await open(t)
        client.request('GET', '/headers', { ...H2C, 'X-Empty': '', 'X-Twice': ['a', 'b'], Cookie: 'c=d', 'X-Bytes': 'caf\u00e9' })
        const { body } = await client.readResponse()

        t.match(JSON.parse(body), { host: 'localhost', 'x-empty': '', 'x-twice': 'a, b', cookie: 'c=d', 'x-bytes': 'caf\u00e9' })
      })

      t.test('ends the connection when the request asks for it', async t => {
        const { running, client } = await open(t)
        client.request('GET', '/', { ...H2C, Connection: 'Upgrade, HTTP2-Settings, close' })

        t.match(await client.readResponse(), { status: 200, headers: { connection: 'close' } })
        t.equal((await client.readUntilClose()).length, 0)
        client.fin()
        await assertServerHoldsNothing(t, running.server)
      })

      t.test('answers 404 where no route matches, and 400 for bad percent-encoding', async t => {
        const { client } = await open(t)

        t.equal((await client.request('GET', '/nowhere', H2C).readResponse()).status, 404)
        t.equal((await client.request('GET', '/%E0%A4%A', H2C).readResponse()).status, 400)
      })

      for (const [name, body] of [['a small', Buffer.from('small')], ['a 2 MB', LARGE]] as const) {
        t.test(`takes ${name} body with its length`, async t => {
          const { running, client } = await open(t)
          client.request('POST', '/', { ...H2C, ...typed(body) }, body)

          await assertEchoed(t, client, body)
          await assertFreed(t, running, client)
        })

        t.test(`takes ${name} body that comes later than its head`, async t => {
          const { client } = await open(t)
          client.request('POST', '/', { ...H2C, ...typed(body) })
          await new Promise(setImmediate)
          for (let start = 0; start < body.length; start += 100_000) client.write(body.subarray(start, start + 100_000))

          await assertEchoed(t, client, body)
        })

        t.test(`takes ${name} body in chunks`, async t => {
          const { client } = await open(t)
          client.request('POST', '/', { ...H2C, 'Content-Type': 'application/octet-stream', 'Transfer-Encoding': 'chunked' }, inChunks(body))

          await assertEchoed(t, client, body)
        })

        t.test(`asks for ${name} body that waits for 100 Continue`, async t => {
          const { client } = await open(t)
          client.request('POST', '/', { ...H2C, ...typed(body), Expect: '100-continue' })
          t.equal((await client.readResponse()).status, 100)
          client.write(body)

          await assertEchoed(t, client, body)
        })
      }

      t.test('serves pipelined requests in order, whole', async t => {
        const { client } = await open(t)
        for (const path of ['/slow', '/large', '/', '/large', '/slow']) client.request('GET', path, H2C)

        t.equal((await client.readResponse()).body, 'slow')
        t.equal((await client.readResponse()).bytes.equals(LARGE), true)
        t.equal((await client.readResponse()).body, 'GET / false')
        t.equal((await client.readResponse()).bytes.equals(LARGE), true)
        t.equal((await client.readResponse()).body, 'slow')
      })

      t.test('serves a request behind plain ones that are not answered yet', async t => {
        const { client } = await open(t)
        client.request('GET', '/slow').request('GET', '/large').request('GET', '/', H2C).request('GET', '/slow')

        t.equal((await client.readResponse()).body, 'slow')
        t.equal((await client.readResponse()).bytes.equals(LARGE), true)
        t.equal((await client.readResponse()).body, 'GET / false')
        t.equal((await client.readResponse()).body, 'slow')
      })

      t.test('keeps the connection, and opens a websocket on it afterwards', async t => {
        const { client } = await open(t)
        for (let i = 0; i < 3; i++) {
          client.request('GET', '/', H2C)
          t.equal((await client.readResponse()).status, 200)
        }
        client.upgrade('/echo').write(frame('text', 'hello'))

        t.equal((await client.readResponse()).status, 101)
        t.equal(String((await client.readFrame()).payload), 'hello')
      })

      t.test('opens a websocket that is pipelined behind it', async t => {
        const { client } = await open(t)
        client.request('GET', '/slow', H2C).upgrade('/echo').write(frame('text', 'hello'))

        t.equal((await client.readResponse()).body, 'slow')
        t.equal((await client.readResponse()).status, 101)
        t.equal(String((await client.readFrame()).payload), 'hello')
      })

      t.test('takes a websocket among several offers', async t => {
        const { client } = await open(t)
        client.upgrade('/echo', { Upgrade: 'WebSocket' })

        t.equal((await client.readResponse()).status, 101)
      })

      t.test('leaves no listener on the connection after 500 in a row', async t => {
        const warnings: Error[] = []
        const onWarning = (warning: Error) => { warnings.push(warning) }
        process.on('warning', onWarning)
        t.teardown(() => { process.off('warning', onWarning) })
        const counts: number[] = []
        const { running, client } = await open(t)
        running.server.on('request', ({ socket }) => { counts.push(countListeners(socket)) })
        for (let i = 0; i < 500; i++) {
          client.request('GET', '/', H2C)
          await client.readResponse()
        }

        t.equal(counts.length, 500)
        t.equal(counts.at(-1), counts[1])
        t.same(warnings, [])
        await assertFreed(t, running, client)
      })

      t.test('lives through a reset at any moment', async t => {
        const { running, client } = await open(t)
        for (let i = 0; i < 40; i++) {
          const isAccepted = once(running.server, running.secure ? 'secureConnection' : 'connection')
          const other = await running.raw()
          await within(isAccepted, 'the connection')
          const [path, headers] = i % 2 === 0 ? ['/slow', H2C] : ['/large', H2C]
          if (i % 5 === 0) other.request('POST', '/', { ...H2C, ...typed(LARGE) }, LARGE.subarray(0, 1000))
          else other.request('GET', path, headers)
          if (i % 3 === 0) await new Promise(setImmediate)
          else if (i % 5 !== 0) await once(other.socket, 'data')
          await new Promise(setImmediate)
          other.reset()
        }
        client.request('GET', '/', H2C)

        t.equal((await client.readResponse()).status, 200)
        await assertFreed(t, running, client)
      })

      t.test('serves it while it still runs hooks when the application closes', async t => {
        const { running, client } = await open(t)
        const started = once(running.server, 'slow')
        client.request('GET', '/slow', H2C)
        await within(started, 'the request')
        const closed = running.app.close()

        t.equal((await client.readResponse()).body, 'slow')
        client.fin()
        await t.resolves(within(closed, 'app.close()'))
      })
    })
  }

  t.test(`over ${over}, on each server of localhost`, async t => {
    resolveBothLoopbacks(t)
    const running = await start(t, { over, host: 'localhost' }, declare)
    const addresses = (running.app.addresses() as AddressInfo[]).map(({ address }) => address)
    t.equal(addresses.length, 2, 'there is a second server')

    for (const host of addresses) {
      t.test(`serves a GET, a POST and a websocket at ${host}`, async t => {
        const client = await connectRaw({ port: running.port, secure: running.secure, host })
        t.teardown(() => { client.destroy() })
        t.equal((await client.request('GET', '/', H2C).readResponse()).body, 'GET / false')
        client.upgrade('/echo').write(frame('text', 'hello'))
        t.equal((await client.readResponse()).status, 101)
        t.equal(String((await client.readFrame()).payload), 'hello')

        for (const body of [Buffer.from('small'), LARGE]) {
          const other = await connectRaw({ port: running.port, secure: running.secure, host })
          t.teardown(() => { other.destroy() })
          other.request('POST', '/', { ...H2C, ...typed(body) }, body)
          await assertEchoed(t, other, body)
        }
      })
    }
  })
}

t.test('serves curl --http2', { skip: missing('curl', ['--version'], /HTTP2/) }, async t => {
  const running = await start(t, declare)
  const curl = async (...args: string[]) => (await run('curl', ['-sS', '--http2', '--max-time', String(LIMIT / 1000), ...args])).stdout

  t.equal(await curl(running.url('/a'), running.url('/b')), 'GET /a falseGET /b false')
  t.equal(await curl('-H', 'Content-Type: application/octet-stream', '--data-binary', 'small', running.url()), digest(Buffer.from('small')))
  await assertServerHoldsNothing(t, running.server)
})

t.test('serves curl --http2 with a 2 MB body, for which it waits to be asked', { skip: missing('curl', ['--version'], /HTTP2/) }, async t => {
  const running = await start(t, declare)
  const path = join(t.testdir({ body: LARGE }), 'body')
  const args = ['-sS', '--http2', '--max-time', String(LIMIT / 1000), '-H', 'Content-Type: application/octet-stream', '--data-binary', `@${path}`]

  t.equal((await run('curl', [...args, running.url()])).stdout, digest(LARGE))
  t.equal((await run('curl', [...args, '-H', 'Transfer-Encoding: chunked', running.url()])).stdout, digest(LARGE))
  await assertServerHoldsNothing(t, running.server)
})

t.test("serves Java's HttpClient: plain requests with every kind of body, then a websocket", { skip: missing('java', ['-version'], /version "(1[1-9]|[2-9]\d)/) }, async t => {
  const running = await start(t, declare)
  const { stdout } = await run('java', ['-XX:TieredStopAtLevel=1', join(__dirname, 'Requests.java'), running.url(), String(SIZE)])

  t.same(stdout.trim().split('\n'), [
    '200 GET /a false',
    '200 GET /b false',
    `200 ${digest(Buffer.alloc(5, 'x'))}`,
    `200 ${digest(Buffer.alloc(SIZE, 'x'))}`,
    `200 ${digest(Buffer.alloc(SIZE, 'x'))}`,
    `200 ${digest(Buffer.alloc(SIZE, 'x'))}`,
    '200 GET /c false',
    'websocket hello'
  ])
  await assertServerHoldsNothing(t, running.server)
})

function declare (app: FastifyInstance): void {
  app.addContentTypeParser('application/octet-stream', { parseAs: 'buffer', bodyLimit: 2 * SIZE }, (request, body, done) => { done(null, body) })
  app.get('/*', async request => `GET ${request.url} ${request.ws}`)
  app.get('/headers', async request => request.headers)
  app.get('/nowhere', async (request, reply) => { reply.callNotFound() })
  app.get('/slow', async () => {
    app.server.emit('slow')
    await new Promise(resolve => setTimeout(resolve, 20))
    return 'slow'
  })
  app.get('/large', async () => LARGE)
  app.post('/', async request => digest(request.body as Buffer))
  app.get('/echo', { websocket: true }, socket => { socket.on('message', (data, isBinary) => { socket.send(data, { binary: isBinary }) }) })
}

async function assertEchoed (t: Test, client: RawClient, body: Buffer): Promise<void> {
  t.match(await client.readResponse(), { status: 200, body: digest(body) })
}

async function assertFreed (t: Test, running: Running, client: RawClient): Promise<void> {
  client.fin()
  await assertServerHoldsNothing(t, running.server)
}

function typed (body: Buffer): Headers {
  return { 'Content-Type': 'application/octet-stream', 'Content-Length': String(body.length) }
}

function inChunks (body: Buffer): Buffer {
  const chunks: Buffer[] = []
  for (let start = 0; start < body.length; start += 100_000) {
    const chunk = body.subarray(start, start + 100_000)
    chunks.push(Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n'))
  }
  return Buffer.concat([...chunks, Buffer.from('0\r\n\r\n')])
}

function countListeners (socket: Socket): number {
  return socket.eventNames().reduce((count, name) => count + socket.listenerCount(name), 0)
}

function digest (body: Buffer): string {
  return `${body.length} ${createHash('sha1').update(body).digest('hex')}`
}

async function run (command: string, args: string[]): Promise<{ stdout: string, stderr: string }> {
  return await promisify(execFile)(command, args, { timeout: 6 * LIMIT })
}

function missing (command: string, args: string[], pattern: RegExp): string | false {
  const { stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  return pattern.test(`${stdout}${stderr}`) ? false : `${command} is not installed, or cannot do this`
}
