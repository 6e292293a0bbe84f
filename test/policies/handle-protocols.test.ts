import t from 'tap'
import fastify from 'fastify'
import type { IncomingMessage } from 'node:http'
import websocket from '../../src'
import { start } from '../helpers/app'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { connectBy, transportOf, WAYS } from '../helpers/ways'

checkLeaksAtEnd(t)

const noop = (): void => {}

for (const way of WAYS) {
  t.test(`speaks the protocol that the route chooses, at once or by a promise, over ${way}`, async t => {
    const seen: string[] = []
    const running = await start(t, { over: transportOf(way), websocket: { options: { handleProtocols: () => 'two' } } }, app => {
      app.get('/mine', { websocket: { handleProtocols: protocols => [...protocols].at(-1) ?? false } }, noop)
      app.get('/later', {
        websocket: {
          handleProtocols: async (_protocols: Set<string>, { url }: IncomingMessage) => {
            seen.push(String(url))
            await new Promise(setImmediate)
            return 'three'
          }
        }
      }, noop)
      for (const none of [false, null, undefined] as const) app.get(`/${none}`, { websocket: { handleProtocols: none } }, noop)
    })
    for (const [path, protocol] of Object.entries({ '/mine': 'three', '/later': 'three', '/false': 'one', '/null': 'one', '/undefined': 'two' })) {
      const { socket } = await connectBy(t, way, running, path, { protocols: ['one', 'two', 'three'] })
      t.equal(socket.protocol, protocol, path)
    }
    t.same(seen, ['/later'])
  })

  t.test(`refuses where it fails, over ${way}`, async t => {
    const running = await start(t, { over: transportOf(way) }, app => {
      app.get('/', { websocket: { handleProtocols: async () => { throw new Error('no protocol') } } }, noop)
    })
    await t.rejects(connectBy(t, way, running, '/', { protocols: 'one' }), { message: 'Unexpected server response: 500' })
    t.match(await running.logged('no protocol'), { level: 50 })
  })
}

t.test('refuses what is no function at the declaration', async t => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(websocket)
  for (const wrong of [true, 'one', ['one']]) {
    const options: object = { handleProtocols: wrong }
    t.throws(() => app.get('/', { websocket: options }, noop), { code: 'FST_WS_INVALID_OPTION', message: /websocket\.handleProtocols must be a function or false/ })
  }
})
