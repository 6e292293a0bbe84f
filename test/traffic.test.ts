import t, { type Test } from 'tap'
import { once } from 'node:events'
import type { WebSocket } from 'ws'
import { emitOf, replaceEmit, type Emit } from '../src/emit'
import { tapMessages } from '../src/traffic'
import { start, type Client } from './helpers/app'
import { checkLeaksAtEnd } from './helpers/leaks'
import { until, within } from './helpers/limit'
import { flushed } from './helpers/ways'

checkLeaksAtEnd(t)

async function connect (t: Test): Promise<Client & { served: WebSocket, messages: string[] }> {
  const messages: string[] = []
  const running = await start(t, app => {
    app.get('/', { websocket: true }, socket => { socket.on('message', data => { messages.push(String(data)) }) })
  })
  const connected = once(running.app.websocketServer, 'connection')
  const client = await running.connect()
  const [served] = await within(connected, 'the connection')
  return { ...client, served, messages }
}

t.test('tells of each message that comes, before the listeners, and lets through what nobody keeps', async t => {
  const { socket, served, messages } = await connect(t)
  const seen: string[] = []
  tapMessages(served, {})
  tapMessages(served, { onMessage: (of, [data, isBinary]) => seen.push(`${of === served} ${String(data)} ${isBinary}`) > 0 })
  tapMessages(served, { onMessage: (_socket, [data]) => String(data) !== 'keep' })
  tapMessages(served, { onMessage: (_socket, [data]) => seen.push(`passed ${String(data)}`) > 0 })
  socket.send('a')
  socket.send('keep')
  socket.send(Buffer.from('b'))
  socket.ping()
  await until(() => messages.length === 2, 'two messages')

  t.same(messages, ['a', 'b'])
  t.same(seen, ['true a false', 'passed a', 'true keep false', 'true b true', 'passed b'])
})

t.test('tells of each message that goes, and of nothing else', async t => {
  const { inbox, served, socket } = await connect(t)
  const keys = Object.keys(served)
  let sent = 0
  tapMessages(served, { onMessage: () => true })
  tapMessages(served, { onSend: of => { sent += Number(of === served) } })
  tapMessages(served, { onSend: () => { sent++ } })
  await new Promise(resolve => { served.send('one', resolve) })
  served.ping()
  served.send(Buffer.from('two'), { binary: false })

  t.equal(String(await inbox.next()), 'one')
  t.equal(String(await inbox.next()), 'two')
  t.equal(sent, 4)
  t.same(Object.keys(served), keys, 'nothing to be seen')
  await flushed(socket)
})

t.test('whoever replaces what emits comes after it, whether it was there before or not', async t => {
  const { socket, served, messages } = await connect(t)
  const seen: string[] = []
  const first = emitOf(served)
  t.equal(first, served.emit)
  replaceEmit(served, emitter('before', first))
  tapMessages(served, { onMessage: () => seen.push('tap') > 0 })
  const second = emitOf(served)
  replaceEmit(served, emitter('after', second))
  socket.send('x')
  await until(() => messages.length === 1, 'the message')
  t.same(seen.splice(0), ['tap', 'after', 'before'])

  replaceEmit(served, first)
  socket.send('y')
  await until(() => messages.length === 2, 'the message')
  t.same(seen, ['tap'])

  function emitter (name: string, emit: Emit): Emit {
    return function (event, ...args) {
      if (event === 'message') seen.push(name)
      return emit.call(this, event, ...args)
    }
  }
})
