import t from 'tap'
import { EventEmitter } from 'node:events'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { WebSocket } from 'ws'
import { admit, open, type Policy } from '../src/policy'
import { checkLeaksAtEnd } from './helpers/leaks'

checkLeaksAtEnd(t)

const request = {} as FastifyRequest
const reply = {} as FastifyReply

t.test('asks nobody where no policy has a say before the handshake', async t => {
  t.equal(admit([], request, reply), undefined)
  t.equal(admit([{ open: () => undefined }], request, reply), undefined)
})

t.test('asks one policy after the other, and stops at the first that refuses', async t => {
  const asked: number[] = []
  const policy = (id: number, verdict?: Error): Policy => ({
    admit: async () => {
      await null
      asked.push(id)
      if (verdict !== undefined) throw verdict
    }
  })
  await admit([policy(1), {}, policy(2)], request, reply)
  t.same(asked, [1, 2])

  await t.rejects(admit([policy(3), policy(4, new Error('no')), policy(5)], request, reply) ?? Promise.resolve(), { message: 'no' })
  t.same(asked, [1, 2, 3, 4])
})

t.test('lets each policy open, and end with the socket', async t => {
  const socket = new EventEmitter() as WebSocket
  const seen: string[] = []
  const policies: Policy[] = ['a', 'b'].map(name => ({
    open: (given, asked) => {
      t.equal(given, socket)
      t.equal(asked, request)
      seen.push(`open ${name}`)
      return () => { seen.push(`close ${name}`) }
    }
  }))
  open([...policies, {}, { open: () => undefined }], socket, request)
  socket.emit('close')

  t.same(seen, ['open a', 'open b', 'close a', 'close b'])
})
