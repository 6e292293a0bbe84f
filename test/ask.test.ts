import t from 'tap'
import type { IncomingMessage } from 'node:http'
import type { ServerOptions, VerifyClientCallbackAsync } from 'ws'
import { askHandleProtocols, askVerifyClient, type VerifyInfo, type Waiting } from '../src/ask'
import { deferred } from './helpers/deferred'

type VerifyClient = NonNullable<ServerOptions['verifyClient']>
type Answer = Parameters<VerifyClientCallbackAsync>[1]

const options: ServerOptions = {}
const info = { origin: 'https://example.com' } as VerifyInfo
const noWaiting: Waiting = { resume () { throw new Error('resumed') }, fail (error) { throw error } }

// What an application without types may do is a part of it.
const verifier = (verify: (...args: never[]) => unknown): VerifyClient => verify as VerifyClient

t.test('passes an answer on within the call that is there at once', async t => {
  const seen: unknown[] = []
  askVerifyClient(verifier(function (this: unknown, given: unknown) { seen.push(this === options, given === info); return 1 }), options, info, noWaiting, verdict => { seen.push(verdict) })
  askVerifyClient((_info: unknown, answer: Answer) => {
    answer(false, 403, 'no')
    answer(true)
    seen.push('returned')
  }, options, info, noWaiting, verdict => { seen.push(verdict) })

  t.strictSame(seen, [true, true, [true], 'returned', [false, 403, 'no']])
})

t.test('goes on where an answer comes later, once', async t => {
  const resumed = deferred<unknown>()
  const waiting: Waiting = { ...noWaiting, resume: action => { action() } }
  const answers: Answer[] = []
  let count = 0
  askVerifyClient((_info: unknown, answer: Answer) => { answers.push(answer) }, options, info, waiting, () => { count++ })
  t.equal(count, 0)
  for (let i = 0; i < 2; i++) answers[0]?.(true)
  t.equal(count, 1)

  askVerifyClient(verifier(async () => true), options, info, waiting, verdict => { resumed.resolve(verdict) })
  t.strictSame(await resumed.promise, [true])
})

t.test('fails where a promise rejects, whichever way the answer was to come', async t => {
  const verifiers = [verifier(async () => { throw new Error('no') }), verifier(async (_info: unknown, _answer: Answer) => { throw new Error('no') })]
  for (const verify of verifiers) {
    const failed = deferred<unknown>()
    askVerifyClient(verify, options, info, { ...noWaiting, fail: failed.resolve }, () => { t.fail('there is no verdict') })
    t.match(await failed.promise, { message: 'no' })
  }
})

t.test('leaves what is thrown to the caller', async t => {
  t.throws(() => { askVerifyClient(verifier(() => { throw new Error('no') }), options, info, noWaiting, () => {}) }, { message: 'no' })
})

t.test('offers the protocols of the client, and takes what is chosen at once or later', async t => {
  const rawRequest = { headers: { 'sec-websocket-protocol': 'one,two ,\tthree' } } as unknown as IncomingMessage
  let chosen: unknown
  askHandleProtocols(function (this: unknown, protocols, given) {
    t.equal(this, options)
    t.equal(given, rawRequest)
    return [...protocols].join()
  }, options, rawRequest, noWaiting, protocol => { chosen = protocol })
  t.equal(chosen, 'one,two,three')

  const later = deferred<unknown>()
  const promising = (async () => 'two') as unknown as NonNullable<ServerOptions['handleProtocols']>
  askHandleProtocols(promising, options, rawRequest, { ...noWaiting, resume: action => { action() } }, later.resolve)
  t.equal(await later.promise, 'two')

  const failed = deferred<unknown>()
  const rejecting = (async () => { throw new Error('no') }) as unknown as NonNullable<ServerOptions['handleProtocols']>
  askHandleProtocols(rejecting, options, rawRequest, { ...noWaiting, fail: failed.resolve }, () => { t.fail('nothing is chosen') })
  t.match(await failed.promise, { message: 'no' })
})
