import t, { type Test } from 'tap'
import { invalid } from '../../src/messages/invalid'
import { Refusal, type OnInvalid } from '../../src/messages/refusal'
import { start, type Running, type StartOptions } from '../helpers/app'
import { deferred } from '../helpers/deferred'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { connectBy } from '../helpers/ways'
import type { FastifyRequest } from 'fastify'
import type { RouteSocket } from '../../types'
import type { MessageInbox } from '../../types/testing'

checkLeaksAtEnd(t)

const error = invalid(1008, '/text must be string')
const unused = async (): Promise<void> => { throw new Error('unused') }

interface Opened {
  refusal: Refusal
  running: Running
  served: RouteSocket
  request: FastifyRequest
  inbox: MessageInbox
}

async function open (t: Test, onInvalid: OnInvalid, options: StartOptions = {}): Promise<Opened> {
  const handled = deferred<{ served: RouteSocket, request: FastifyRequest }>()
  const running = await start(t, options, app => {
    app.get('/', { websocket: true }, (served, request) => { handled.resolve({ served, request }) })
  })
  const { inbox } = await connectBy(t, 'tcp', running)
  const { served, request } = await handled.promise
  return { refusal: new Refusal(served, onInvalid, request), running, served, request, inbox }
}

t.test('the log tells of the first of a connection, and of no other', async t => {
  const { refusal, running } = await open(t, 'drop')
  t.equal(refusal.refuse(error, unused), undefined)
  for (let i = 0; i < 10_000; i++) refusal.refuse(error, unused)
  const lines = running.log.filter(({ msg }) => msg === 'invalid websocket message')
  t.equal(lines.length, 1)
  t.match(lines[0], { level: 30, reqId: 'req-1', err: { code: 'FST_WS_MESSAGES_INVALID', message: 'message/text must be string' } })
  t.notOk(refusal.isFinal)
})

t.test('a close has the code and the reason', async t => {
  const { refusal, inbox } = await open(t, 'close')
  t.equal(refusal.refuse(error, unused), undefined)
  t.ok(refusal.isFinal)
  t.same(await inbox.closed, { code: 1008, reason: 'message/text must be string' })
})

t.test('a reply is waited for, and its end is the business of nobody', async t => {
  const { refusal, served } = await open(t, 'reply')
  const sent = deferred()
  const told: unknown[] = []
  const waited = refusal.refuse(error, async each => {
    told.push(each)
    await sent.promise
    throw new Error('closed')
  })
  t.equal(await Promise.race([waited, Promise.resolve('waits')]), 'waits')
  sent.resolve(undefined)
  await waited
  t.strictSame(told, [error])
  t.equal(served.readyState, served.OPEN)
})

t.test('a function gets all there is, and its promise is waited for', async t => {
  const told: unknown[] = []
  const done = deferred()
  const opened = await open(t, (...args) => {
    told.push(args)
    return told.length === 1 ? undefined : done.promise
  })
  const { refusal, served, request } = opened
  t.equal(refusal.refuse(error, unused), undefined)
  const waited = refusal.refuse(error, unused)
  t.equal(await Promise.race([waited, Promise.resolve('waits')]), 'waits')
  done.resolve(undefined)
  await waited
  const [[first, socket, asked]] = told as [[unknown, unknown, unknown]]
  t.equal(first, error)
  t.equal(socket, served)
  t.equal(asked, request)
})

for (const [name, onInvalid] of Object.entries({ throws: () => { throw new Error('by the function') }, rejects: async () => { throw new Error('by the function') } })) {
  t.test(`a function that ${name} is an error of the handler`, async t => {
    const { refusal, running, inbox } = await open(t, onInvalid)
    await refusal.refuse(error, unused)
    t.equal((await inbox.closed).code, 1006)
    t.match(await running.logged('by the function'), { level: 50 })
  })
}
