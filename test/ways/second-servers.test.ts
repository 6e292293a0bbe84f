import t from 'tap'
import { connect } from 'node:http2'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { once } from 'node:events'
import { onSecondServers } from '../../src/ways/second-servers'
import { start } from '../helpers/app'
import { frame } from '../helpers/frames'
import { answerTo, connectStream, framesOf } from '../helpers/http2-clients'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { within } from '../helpers/limit'
import { resolveBothLoopbacks } from '../helpers/loopbacks'
import { echo } from '../helpers/routes'

checkLeaksAtEnd(t)

t.test('each server of localhost takes websockets over HTTP/2, and ends its sessions on close()', async t => {
  resolveBothLoopbacks(t)
  const running = await start(t, { over: 'h2c', host: 'localhost' }, echo)
  const addresses = (running.app.addresses() as AddressInfo[]).map(({ address, family }) => family === 'IPv6' ? `[${address}]` : address)
  t.equal(addresses.length, 2, 'there is a second server')

  const closes = []
  for (const host of addresses) {
    const session = connect(`http://${host}:${running.port}`)
    t.teardown(() => { session.destroy() })
    await within(once(session, 'remoteSettings'), 'the settings')
    t.equal(session.remoteSettings.enableConnectProtocol, true, host)
    const stream = connectStream(session, '/')
    t.equal((await answerTo(stream))[':status'], 200, host)
    const next = framesOf(stream)
    stream.write(frame('text', 'hello'))
    t.equal(String((await next()).payload), 'hello', host)
    closes.push(within(once(session, 'close'), `the end of the session at ${host}`))
    stream.once('end', () => { stream.end() })
    next().then(() => stream.write(frame('close', Buffer.from([3, 233]))), () => {})
  }
  t.equal(running.app.websocketServer.clients.size, 2)
  await t.resolves(within(running.app.close(), 'app.close()'))
  await t.resolves(Promise.all(closes), 'GOAWAY on each')
})

t.test('tells of none where they are kept elsewhere', async t => {
  let hook = (_done: () => void): void => {}
  onSecondServers({ addHook: (_name: string, given: typeof hook) => { hook = given } } as unknown as FastifyInstance, () => { t.fail('a server') })
  t.ok(await new Promise(resolve => { hook(() => { resolve(true) }) }))
})
