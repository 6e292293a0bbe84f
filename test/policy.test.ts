import t from 'tap'
import { EventEmitter } from 'node:events'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { WebSocket } from 'ws'
import type { Connection } from '../src/connection'
import { admit, handshakeOptions, hookInto, open, takeOverBy, type Admit, type Policy } from '../src/policy'
import { start } from './helpers/app'
import { checkLeaksAtEnd } from './helpers/leaks'

checkLeaksAtEnd(t)

const request = {} as FastifyRequest
const reply = {} as FastifyReply

t.test('asks one after the other, and stops at the first that refuses', async t => {
  const asked: number[] = []
  const policy = (id: number, verdict?: Error): Admit => async () => {
    await null
    asked.push(id)
    if (verdict !== undefined) throw verdict
  }
  await admit([policy(1), policy(2)], request, reply)
  t.same(asked, [1, 2])

  await t.rejects(admit([policy(3), policy(4, new Error('no')), policy(5)], request, reply), { message: 'no' })
  t.same(asked, [1, 2, 3, 4])
})

t.test('lets each policy open, and end with the socket', async t => {
  const socket = new EventEmitter() as WebSocket
  const connection = { socket } as Connection
  const seen: string[] = []
  const policies: Policy[] = ['a', 'b'].map(name => ({
    open: given => {
      t.equal(given, connection)
      seen.push(`open ${name}`)
      return () => { seen.push(`close ${name}`) }
    }
  }))
  open([...policies, {}, { open: () => undefined }], connection)
  socket.emit('close')

  t.same(seen, ['open a', 'open b', 'close a', 'close b'])
})

t.test('tells who answers in the place of ws', async t => {
  const takeOver = () => {}
  t.equal(takeOverBy([]), undefined)
  t.equal(takeOverBy([{}, { takeOver }]), takeOver)
})

t.test('puts the handshakes of all together, the later in front', async t => {
  t.equal(handshakeOptions([]), undefined)
  t.equal(handshakeOptions([{}, { handshake: {} }]), undefined)
  t.same(handshakeOptions([{ handshake: { maxPayload: 1 } }, {}, { handshake: { maxPayload: 2, perMessageDeflate: true } }]), { maxPayload: 2, perMessageDeflate: true })
})

t.test('asks with the request, for upgrades only, in front of the hooks of the route', async t => {
  const asked: string[] = []
  const running = await start(t, app => {
    app.addHook('onRoute', route => {
      if (route.method !== 'HEAD') hookInto(route, [{}, { onRequest: async ({ url }) => { if (url === '/?no') throw Object.assign(new Error('no'), { statusCode: 403 }) } }, { onRequest: () => { asked.push('policy') } }])
    })
    app.addHook('onRequest', async () => { asked.push('application') })
    app.route({ method: 'GET', url: '/', onRequest: async () => { asked.push('route') }, handler: async () => 'plain', wsHandler: socket => { socket.close() } })
    app.get('/bare', { websocket: true }, socket => { socket.close() })
  })
  await running.app.inject('/')
  t.same(asked.splice(0), ['application', 'route'])
  await (await running.connect('/')).inbox.closed
  t.same(asked.splice(0), ['application', 'policy', 'route'])
  await (await running.connect('/bare')).inbox.closed
  t.same(asked.splice(0), ['application', 'policy'])
  await t.rejects(running.connect('/?no'), { message: 'Unexpected server response: 403' })
  t.same(asked, ['application'])
})

t.test('touches no route without such a policy', async t => {
  const route = { method: 'GET', url: '/', handler: () => {} } as const
  hookInto(route, [{ open: () => undefined }])
  t.notOk('onRequest' in route)
})
