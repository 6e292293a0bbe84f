import t from 'tap'
import fastify from 'fastify'
import type { VerifyClient } from '../../types'
import websocket from '../../src'
import { start } from '../helpers/app'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { connectBy, transportOf, WAYS } from '../helpers/ways'

checkLeaksAtEnd(t)

const verifiers: Record<string, VerifyClient> = {
  at_once: ({ req }) => !req.url?.endsWith('?no'),
  promise: async ({ req }) => !req.url?.endsWith('?no'),
  callback: ({ req }, answer) => { setImmediate(answer, !req.url?.endsWith('?no')) }
}

for (const way of WAYS) {
  t.test(`lets in whom the route verifies, in place of the server, over ${way}`, async t => {
    const running = await start(t, { over: transportOf(way), websocket: { options: { verifyClient: () => false } } }, app => {
      for (const [name, verifyClient] of Object.entries(verifiers)) app.get(`/${name}`, { websocket: { verifyClient } }, () => {})
      for (const none of [false, null, undefined] as const) app.get(`/${none}`, { websocket: { verifyClient: none } }, () => {})
    })
    for (const path of [...Object.keys(verifiers), 'false', 'null']) await t.resolves(connectBy(t, way, running, `/${path}`), path)
    for (const path of [...Object.keys(verifiers).map(name => `${name}?no`), 'undefined']) {
      await t.rejects(connectBy(t, way, running, `/${path}`), { message: 'Unexpected server response: 401' }, path)
    }
  })
}

t.test('refuses what is no function at the declaration', async t => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(websocket)
  for (const wrong of [true, 'everybody', {}]) {
    const options: object = { verifyClient: wrong }
    t.throws(() => app.get('/', { websocket: options }, () => {}), { code: 'FST_WS_INVALID_OPTION', message: /websocket\.verifyClient must be a function or false/ })
  }
})
