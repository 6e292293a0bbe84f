import t from 'tap'
import type { FastifyInstance } from 'fastify'
import type { WebsocketConnectionOptions } from '../../types'
import { start } from '../helpers/app'
import { echo } from '../helpers/routes'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { connectBy, transportOf, WAYS } from '../helpers/ways'

checkLeaksAtEnd(t)

const MESSAGE = 'websocket connection closed'

for (const way of WAYS) {
  t.test(`logClose writes one line when a connection ends (${way})`, async t => {
    const running = await start(t, { over: transportOf(way), websocket: { logClose: 'info' } }, app => { echo(app, '/echo/:id') })
    const { socket, inbox } = await connectBy(t, way, running, '/echo/1')
    socket.send('hello')
    await inbox.next()
    socket.close(4000, 'adieu')

    const line = await running.logged(MESSAGE)
    t.match(line, { level: 30, reqId: /^req-/, url: '/echo/:id', code: 4000, reason: 'adieu', duration: Number, messagesReceived: 1, messagesSent: 1, bytesReceived: 5, bytesSent: 5 })
    await running.close()
    t.equal(running.log.filter(({ msg }) => msg === MESSAGE).length, 1)
  })
}

t.test('without it no line is written; the route wins over the plugin', async t => {
  const routes: Array<[plugin: WebsocketConnectionOptions['logClose'], route: WebsocketConnectionOptions['logClose'], isLogged: boolean]> = [
    [undefined, undefined, false],
    [false, undefined, false],
    [undefined, 'info', true],
    [undefined, true, true],
    [true, undefined, true],
    ['info', false, false],
    ['info', null, false],
    [null, 'info', true]
  ]
  for (const [plugin, route, isLogged] of routes) {
    const running = await start(t, { websocket: { logClose: plugin } }, app => {
      app.get('/', { websocket: { logClose: route } }, socket => { socket.close() })
    })
    await (await running.connect()).inbox.closed
    await running.close()
    t.equal(running.log.some(({ msg }) => msg === MESSAGE), isLogged, `${String(plugin)}, ${String(route)}`)
  }
})

t.test('anything else is an error that names it', async t => {
  const wrong = { code: 'FST_WS_INVALID_OPTION', message: /^the option websocket\.logClose must be 'info' or false; it is / }
  await start(t, (app: FastifyInstance) => {
    for (const logClose of ['debug', 1, {}]) t.throws(() => { app.get('/', { websocket: { logClose: logClose as never } }, () => {}) }, wrong)
  })
})
