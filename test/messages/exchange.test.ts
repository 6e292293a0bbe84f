import { getEventListeners } from 'node:events'
import t from 'tap'
import { Exchange } from '../../src/messages/exchange'
import type { Id } from '../../src/messages/envelope'

const noop = (): void => {}

// The timers of requests keep no process alive: in an application its sockets do.
const alive = setInterval(noop, 1000)
t.teardown(() => { clearInterval(alive) })

function ask (exchange: Exchange, options = {}): { ids: Id[], reply: Promise<unknown> } {
  const ids: Id[] = []
  return { ids, reply: exchange.ask(async id => { ids.push(id) }, options) }
}

t.test('a reply is given to whoever asked by its id, and only once', async t => {
  const exchange = new Exchange()
  const first = ask(exchange)
  const second = ask(exchange)
  t.strictSame([first.ids, second.ids], [['1'], ['2']])
  t.ok(exchange.isWaiting)
  t.ok(exchange.isAwaited('2'))
  t.notOk(exchange.isAwaited('3'))
  t.notOk(exchange.isAwaited(2))
  t.notOk(exchange.isAwaited(undefined))

  exchange.settle('2', () => 'to the second')
  exchange.settle('2', () => 'too late')
  exchange.settle('1', async () => 'to the first')
  t.equal(await second.reply, 'to the second')
  t.equal(await first.reply, 'to the first')
  t.notOk(exchange.isWaiting)
})

t.test('a reply that is invalid rejects, at once or later', async t => {
  const exchange = new Exchange()
  const first = ask(exchange)
  exchange.settle('1', () => { throw new Error('at once') })
  await t.rejects(first.reply, { message: 'at once' })
  const second = ask(exchange)
  exchange.settle('2', async () => { throw new Error('later') })
  await t.rejects(second.reply, { message: 'later' })
})

t.test('what cannot be sent, a time, a signal and the end reject, and leave nothing', async t => {
  const exchange = new Exchange()
  await t.rejects(exchange.ask(async () => { throw new Error('not sent') }, {}), { message: 'not sent' })
  await t.rejects(ask(exchange, { timeout: 5 }).reply, { code: 'FST_WS_MESSAGES_TIMEOUT', message: 'the client did not reply within 5 ms' })

  const controller = new AbortController()
  const aborted = ask(exchange, { signal: controller.signal })
  const replied = ask(exchange, { signal: controller.signal })
  exchange.settle(replied.ids[0] as Id, () => 'reply')
  t.equal(await replied.reply, 'reply')
  t.equal(getEventListeners(controller.signal, 'abort').length, 1, 'that of the other request')
  controller.abort(new Error('not any more'))
  await t.rejects(aborted.reply, { message: 'not any more' })
  const tooLate = ask(exchange, { signal: controller.signal })
  await t.rejects(tooLate.reply, { message: 'not any more' })
  t.strictSame(tooLate.ids, [], 'nothing was sent')

  const two = [ask(exchange).reply, ask(exchange).reply]
  exchange.end(new Error('closed'))
  for (const { status } of await Promise.allSettled(two)) t.equal(status, 'rejected')
  t.notOk(exchange.isWaiting)
})

t.test('who wants a reply is known by the message, once', async t => {
  const exchange = new Exchange()
  const message = {}
  exchange.note(message, 'a')
  t.equal(exchange.takeId(message), 'a')
  for (const nobody of [message, {}, null, 'text', undefined, noop]) t.equal(exchange.takeId(nobody), undefined)
  for (const value of [null, 'text']) t.doesNotThrow(() => exchange.note(value, 'b'))
})
