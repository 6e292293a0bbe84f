import t from 'tap'
import { once } from 'node:events'
import type { WebsocketHandler, WebsocketPluginOptions } from '../types'
import { start } from './helpers/app'
import { assertServerHoldsNothing, checkLeaksAtEnd } from './helpers/leaks'

checkLeaksAtEnd(t)

/** No logger can write it. */
function unwritable (): Error {
  return Object.defineProperty(new Error('unwritable'), 'detail', { enumerable: true, get () { throw new Error('by the getter') } })
}

const failures: Record<string, [handler: WebsocketHandler, websocket?: WebsocketPluginOptions]> = {
  'a handler throws': [() => { throw unwritable() }],
  'a handler rejects with': [async () => { throw unwritable() }],
  'an errorHandler throws': [() => { throw new Error('first') }, { errorHandler: () => { throw unwritable() } }],
  'an errorHandler rejects with': [() => { throw new Error('first') }, { errorHandler: async () => { throw unwritable() } }],
  'verifyClient rejects with': [() => {}, { options: { verifyClient: () => Promise.reject(unwritable()) } }]
}

for (const [who, [handler, websocket = {}]] of Object.entries(failures)) {
  t.test(`lives where ${who} what cannot be logged, and ends the connection`, async t => {
    const running = await start(t, { websocket }, app => { app.get('/', { websocket: true }, handler) })
    running.dial()

    t.match(await running.logged('by the getter'), { level: 50 })
    await assertServerHoldsNothing(t, running.server)
  })
}

t.test('logs what can be logged as it is', async t => {
  const running = await start(t, app => { app.get('/', { websocket: true }, () => { throw new TypeError('wrong') }) })
  const { socket } = running.dial()
  await once(socket, 'close')

  t.match(await running.logged('wrong'), { level: 50, err: { type: 'TypeError' } })
})
