import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { WebSocket, WebSocketServer } from 'ws'
import { opened } from '../src/opening'
import { readMessages } from '../src/extras/testing'
import { deferred } from './helpers/deferred'
import { checkLeaksAtEnd } from './helpers/leaks'
import { until } from './helpers/limit'

checkLeaksAtEnd(t)

type Connected = (socket: WebSocket) => void

t.test('resolves to the client once it is open, after onInit and onOpen', async t => {
  const { client } = await connect(t)
  const seen: string[] = []
  client.on('open', () => { seen.push('open') })
  const socket = await opened(client, {
    onInit (given) {
      seen.push(`init ${given.readyState}`)
      given.on('open', () => { seen.push('open of onInit') })
    },
    onOpen (given) { seen.push(`onOpen ${given.readyState}`) }
  })
  t.equal(socket, client)
  t.same(seen, ['init 0', 'open', 'open of onInit', 'onOpen 1'])
})

t.test('a message that is sent at once reaches a listener that is added after the await', async t => {
  const { client } = await connect(t, socket => { socket.send('at once') })
  t.equal(String(await readMessages(await opened(client, {})).next()), 'at once')
})

t.test('a message that is sent at once does not reach anybody before onOpen', async t => {
  const { client } = await connect(t, socket => { socket.send('at once') })
  const seen: string[] = []
  client.on('message', () => { seen.push('message') })
  await opened(client, { async onOpen () { seen.push('onOpen') } })
  seen.push('resolved')
  await until(() => seen.length === 3, 'the message')
  t.same(seen, ['onOpen', 'resolved', 'message'])
})

t.test('a refusal rejects with its status, headers and body', async t => {
  const { client } = await connect(t, undefined, (_info, next) => { next(false, 402, 'pay', { 'x-price': '1' }) })
  await t.rejects(opened(client, {}), { code: 'FST_WS_INJECT_REFUSED', message: 'Unexpected server response: 402', statusCode: 402, headers: { 'x-price': '1' }, body: 'pay' })
})

t.test('an error of the client rejects, and its later ones are nobody\'s', async t => {
  const { client } = await connect(t)
  const rejected = opened(client, { onInit: socket => { socket.terminate() } })
  await t.rejects(rejected, { code: 'FST_WS_INJECT_FAILED', message: /closed before the connection was established/ })
  client.emit('error', new Error('later'))
})

t.test('a time limit rejects, and none is too long', async t => {
  const { client } = await connect(t, undefined, never)
  await t.rejects(opened(client, { timeout: 5 }), { code: 'FST_WS_INJECT_TIMEOUT', message: 'injectWS got no answer within 5 ms' })
  for (const timeout of [Infinity, 2 ** 31, 2 ** 31 - 1]) {
    const { client } = await connect(t)
    t.equal((await opened(client, { timeout })).readyState, WebSocket.OPEN, String(timeout))
  }
})

t.test('a signal rejects, whenever it aborts, and is left alone afterwards', async t => {
  const controllers = [new AbortController(), new AbortController(), new AbortController()] as const
  const silent = async () => (await connect(t, undefined, never)).client
  const inInit = opened(await silent(), { signal: controllers[0].signal, onInit: () => { controllers[0].abort(new Error('in onInit')) } })
  await t.rejects(inInit, { code: 'FST_WS_INJECT_ABORTED', cause: { message: 'in onInit' } })
  const later = opened(await silent(), { signal: controllers[1].signal })
  controllers[1].abort()
  await t.rejects(later, { code: 'FST_WS_INJECT_ABORTED' })
  await t.rejects(opened(await silent(), { signal: AbortSignal.abort() }), { code: 'FST_WS_INJECT_ABORTED' })
  const { client } = await connect(t)
  await opened(client, { signal: controllers[2].signal })
  controllers[2].abort()
  t.equal(client.readyState, WebSocket.OPEN)
})

for (const [what, callback] of Object.entries({
  throws: () => { throw new RangeError('thrown') },
  'rejects at once': async () => { throw new RangeError('thrown') }
})) {
  for (const name of ['onInit', 'onOpen']) {
    t.test(`${name} that ${what} rejects, and nothing stays open`, async t => {
      const { client, server } = await connect(t)
      await t.rejects(opened(client, { [name]: callback, timeout: 60_000, signal: new AbortController().signal }), new RangeError('thrown'))
      await until(() => client.readyState === WebSocket.CLOSED && server.clients.size === 0, 'the end of both')
      client.emit('error', new Error('what comes then is nobody\'s'))
    })
  }
}

t.test('onInit that rejects while nobody answers rejects', async t => {
  const { client } = await connect(t, undefined, never)
  const rejected = opened(client, { onInit: () => new Promise((resolve, reject) => { setImmediate(reject, new RangeError('late')) }) })
  await t.rejects(rejected, new RangeError('late'))
})

t.test('onOpen that is slow holds nobody up, and what it rejects with then is loud', async t => {
  const { client } = await connect(t)
  const proceed = deferred()
  const unhandled = deferred<unknown>()
  t.threw = error => { unhandled.resolve(error) }
  const socket = await opened(client, {
    async onOpen () {
      await proceed.promise
      throw new RangeError('much later')
    }
  })
  proceed.resolve()
  t.match(await unhandled.promise, { message: 'much later' })
  t.equal(socket.readyState, WebSocket.OPEN)
})

t.test('what is no function is not called', async t => {
  const { client } = await connect(t)
  t.equal(await opened(client, { onInit: true, onOpen: 'open' } as never), client)
})

type VerifyClient = (info: unknown, next: (isAccepted: boolean, code?: number, message?: string, headers?: Record<string, string>) => void) => void

// With its second parameter ws waits for the call.
const never: VerifyClient = (_info, _next) => {}

async function connect (t: Test, onConnection: Connected = () => {}, verifyClient?: VerifyClient): Promise<{ client: WebSocket, server: WebSocketServer }> {
  const httpServer = createServer()
  httpServer.on('connection', rawSocket => { t.teardown(() => { rawSocket.destroy() }) })
  const server = new WebSocketServer({ server: httpServer, ...(verifyClient && { verifyClient }) })
  server.on('connection', onConnection)
  httpServer.listen(0, '127.0.0.1')
  await once(httpServer, 'listening')
  const client = new WebSocket(`ws://127.0.0.1:${(httpServer.address() as AddressInfo).port}`)
  t.teardown(() => {
    client.terminate()
    httpServer.close()
  })
  return { client, server }
}
