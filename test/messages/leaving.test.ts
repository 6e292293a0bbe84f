import t from 'tap'
import type { MessagesOptions } from '../../types/messages'
import { FST_WS_MESSAGES_CLOSED } from '../../src/errors'
import { throwUnlessLeft } from '../../src/messages/leaving'
import type { RouteSocket } from '../../types'
import { deferred } from '../helpers/deferred'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { until } from '../helpers/limit'
import { say, schema, startMessages } from '../helpers/messages'

checkLeaksAtEnd(t)

const options: MessagesOptions = {}

for (const kind of ['a loop', 'onMessage']) {
  for (const fails of [false, true]) {
    t.test(`${kind} that ${fails ? 'fails' : 'cannot send any more'} when the client has left ${fails ? 'is' : 'is not'} an error`, async t => {
      const left = deferred()
      const told: unknown[] = []
      let ended = 0
      const answer = async (socket: RouteSocket): Promise<void> => {
        await left.promise
        ended++
        if (fails) throw new Error('of its own')
        await socket.sendMessage({ type: 'said', text: 'too late' })
      }
      const running = await startMessages(t, { websocket: { errorHandler: error => { told.push(error.message) } }, messages: options }, app => {
        if (kind === 'onMessage') app.get('/', { websocket: true, schema, onMessage: async (_message, socket) => { await answer(socket) } }, () => {})
        else {
          app.get('/', { websocket: true, schema }, async socket => {
            const messages = socket.messages()
            while ((await messages.next()).done !== true) await answer(socket)
          })
        }
      })
      const client = await running.connect()
      for (const text of ['one', 'two', 'three']) say(client, text)
      client.socket.close()
      await until(() => running.app.websocketServer.clients.size === 0, 'the end of the connection')
      left.resolve(undefined)
      await until(() => ended === (kind === 'onMessage' ? 3 : 1), 'the end of the handler')
      if (fails) await until(() => told.length === ended, 'the errors')
      await new Promise(resolve => { setImmediate(resolve) })
      t.strictSame(told, fails ? Array.from({ length: ended }, () => 'of its own') : [])
      t.notOk(running.log.some(({ level }) => level >= 40))
    })
  }
}

t.test('that another has left is an error where the connection is open', async t => {
  const [open, closed] = [{ OPEN: 1, readyState: 1 }, { OPEN: 1, readyState: 3 }] as RouteSocket[]
  const error = new FST_WS_MESSAGES_CLOSED()
  t.throws(() => throwUnlessLeft(open as RouteSocket, error), error)
  t.doesNotThrow(() => throwUnlessLeft(closed as RouteSocket, error))
  t.throws(() => throwUnlessLeft(closed as RouteSocket, new Error('other')), { message: 'other' })
})
