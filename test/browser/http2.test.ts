// Websockets of a page over HTTP/2, in a real browser, as the sessions of the server show. Where there is none, the test is
// skipped and says so.
import { existsSync } from 'node:fs'
import type { Http2ServerRequest } from 'node:http2'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { type Browser, chromium, type Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { type Running, start, type StartOptions } from '../helpers/app'
import { certificate } from '../helpers/certificate'
import { LIMIT, until, within } from '../helpers/limit'

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'
const skip = existsSync(executablePath) ? false : `there is no browser at ${executablePath}; CHROMIUM names another`

const args = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--ignore-certificate-errors',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'
]

const SOCKETS = 64

/** What requests came on, the page's own among them. */
const carriers = new WeakMap<FastifyInstance, Map<unknown, string[]>>()

t.test('a page over HTTP/2, in a browser', { skip }, async t => {
  const browser = await chromium.launch({ executablePath, args })
  t.teardown(() => browser.close())

  for (const [name, https] of [['only', certificate], ['and HTTP/1.1', { allowHTTP1: true, ...certificate }]] as const) {
    t.test(`opens ${SOCKETS} websockets on the session of its requests where the server speaks HTTP/2 ${name}`, async t => {
      const { running, page } = await visit(t, browser, { fastify: { http2: true, https } as object })
      const answers = await page.evaluate(`Promise.all(Array.from({ length: ${SOCKETS} }, (_each, index) => new Promise((resolve, reject) => {
        const socket = new WebSocket('/echo', ['none', 'chat'])
        socket.onopen = () => { socket.send('hello ' + index) }
        socket.onerror = () => { reject(new Error('socket ' + index)) }
        socket.onmessage = ({ data }) => { resolve([data, socket.protocol, socket.extensions].join()) }
      })))`)
      t.same(answers, Array.from({ length: SOCKETS }, (_each, index) => `hello ${index},chat,permessage-deflate`))
      t.equal(await page.evaluate("fetch('/plain').then(response => response.text())"), 'plain')

      const sessions = carriers.get(running.app) ?? new Map()
      t.equal(sessions.size, 1, 'one session')
      const [urls = []] = sessions.values()
      t.equal(urls.filter((url: string) => url === '/echo').length, SOCKETS)
      t.same(urls.filter((url: string) => url !== '/echo' && url !== '/favicon.ico'), ['/', '/plain'])
      t.equal(running.app.websocketServer.clients.size, SOCKETS)
    })
  }

  t.test('falls back to HTTP/1.1 where the option is off', async t => {
    const { running, page } = await visit(t, browser, { over: 'h2', websocket: { http2: false, options: { handleProtocols: () => 'chat' } } })
    t.equal(await page.evaluate(talk('/echo')), 'hello')
    const urls = [...carriers.get(running.app)?.values() ?? []]
    t.equal(urls.length, 2, 'a session, and a connection')
  })

  t.test('hears how a websocket ends, and is refused', async t => {
    const { page } = await visit(t, browser, { over: 'h2' })
    const end = (path: string): string => `new Promise(resolve => {
      const socket = new WebSocket('${path}')
      socket.onclose = ({ code, reason, wasClean }) => { resolve([code, reason, wasClean].join()) }
    })`
    t.equal(await page.evaluate(end('/closes')), '4000,enough,true')
    t.equal(await page.evaluate(end('/terminates')), '1006,,false')
    t.equal(await page.evaluate(end('/refused')), '1006,,false')
    t.equal(await page.evaluate(end('/plain')), '1005,,true')
    t.equal(await page.evaluate(talk('/echo')), 'hello', 'and the session lives')
  })

  t.test('sends large messages both ways, and is not delayed by a websocket that is stalled', async t => {
    const { running, page } = await visit(t, browser, { over: 'h2' })
    await page.evaluate(`new Promise(resolve => {
      window.stalled = new WebSocket('/stalled')
      stalled.onopen = () => { resolve(stalled.send(new Uint8Array(8 * 1024 * 1024))) }
    })`)
    t.equal(await page.evaluate("fetch('/plain').then(response => response.text())"), 'plain')
    t.equal(await page.evaluate(talk('/echo')), 'hello')
    t.ok(Number(await page.evaluate('stalled.bufferedAmount')) > 0, 'it is stalled')
    for (const client of running.app.websocketServer.clients) client.resume()
    await until(async () => await page.evaluate('window.stalled.bufferedAmount') === 0, 'the rest', 2 * LIMIT)
    t.equal(await page.evaluate(`new Promise(resolve => {
      const socket = new WebSocket('/echo')
      socket.binaryType = 'arraybuffer'
      socket.onopen = () => { socket.send(new Uint8Array(1024 * 1024)) }
      socket.onmessage = ({ data }) => { resolve(data.byteLength) }
    })`), 1024 * 1024)
  })

  t.test('is told that the application closes, which ends', async t => {
    const { running, page } = await visit(t, browser, { over: 'h2' })
    const closed = page.evaluate(`new Promise(resolve => {
      const socket = new WebSocket('/echo')
      socket.onopen = () => { fetch('/opened') }
      socket.onclose = ({ code }) => { resolve(code) }
    })`)
    await running.logged('opened')
    await t.resolves(within(running.app.close(), 'app.close()', 2 * LIMIT))
    t.equal(await closed, 1005)
  })
})

function talk (path: string): string {
  return `new Promise((resolve, reject) => {
    const socket = new WebSocket('${path}')
    socket.onopen = () => { socket.send('hello') }
    socket.onerror = reject
    socket.onmessage = ({ data }) => { resolve(data) }
  })`
}

async function visit (t: Test, browser: Browser, options: StartOptions): Promise<{ running: Running, page: Page }> {
  const running = await start(t, { websocket: { options: { handleProtocols: () => 'chat', perMessageDeflate: true } }, ...options }, declare)
  const context = await browser.newContext({ ignoreHTTPSErrors: true })
  const page = await context.newPage()
  page.setDefaultTimeout(4 * LIMIT)
  t.teardown(() => context.close())
  await page.goto(`https://127.0.0.1:${running.port}/`)
  return { running, page }
}

function declare (app: FastifyInstance): void {
  const urls = new Map<unknown, string[]>()
  carriers.set(app, urls)
  app.addHook('onRequest', async ({ raw }: FastifyRequest) => {
    const carrier = (raw as object as Partial<Http2ServerRequest>).stream?.session ?? raw.socket
    urls.set(carrier, [...urls.get(carrier) ?? [], String(raw.url)])
  })
  app.get('/', async (_request, reply) => await reply.type('text/html').send('<!doctype html><title>page</title>'))
  app.get('/plain', async () => 'plain')
  app.get('/opened', async ({ log }) => { log.info('opened') })
  app.get('/echo', { websocket: true }, socket => { socket.on('message', (data, binary) => { socket.send(data, { binary }) }) })
  app.get('/closes', { websocket: true }, socket => { socket.close(4000, 'enough') })
  app.get('/terminates', { websocket: true }, socket => { socket.terminate() })
  app.get('/stalled', { websocket: { perMessageDeflate: false } }, socket => { socket.pause() })
  app.get('/refused', { websocket: true, onRequest: async (_request, reply) => { await reply.code(401).send('no') } }, () => {})
}
