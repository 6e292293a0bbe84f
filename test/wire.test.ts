import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { WireEnd } from '../src/wire'
import { checkLeaksAtEnd } from './helpers/leaks'
import { LIMIT } from './helpers/limit'

checkLeaksAtEnd(t)

// Milliseconds: far longer than a busy machine keeps a timer waiting.
const SILENCE = 1000

t.test('what one end writes the other reads, in order and in a later turn', async t => {
  const [near, far] = WireEnd.pair()
  near.write('a')
  near.write('b')
  t.equal(far.read(), null)
  near.end('c')
  t.equal(await text(far), 'abc')
})

t.test('a reader that is full holds its writer back', async t => {
  const [near, far] = WireEnd.pair()
  const chunk = Buffer.alloc(far.readableHighWaterMark, 'x')
  let written = 0
  for (let i = 0; i < 3; i++) near.write(chunk, () => { written++ })
  await once(far, 'readable')
  await new Promise(resolve => setImmediate(resolve))
  t.equal(written, 0)
  near.end()
  t.equal((await text(far)).length, 3 * chunk.length)
  t.equal(written, 3)
})

t.test('an end that is destroyed is the end of the stream for the other, also for one that does not read', async t => {
  const [near, far] = WireEnd.pair()
  const ended = once(far, 'end')
  near.destroy()
  await ended
  far.end()
  await once(far, 'close')
})

t.test('an end that has been written to and destroyed is read whole first', async t => {
  const [near, far] = WireEnd.pair()
  near.write('last words')
  near.destroySoon()
  t.equal(await text(far), 'last words')
})

t.test('destroySoon waits for what is written, and works on an end that has ended', async t => {
  const [near] = WireEnd.pair()
  near.destroySoon()
  await once(near, 'close')
  const [other, far] = WireEnd.pair()
  other.end()
  await once(other, 'finish')
  other.destroySoon()
  t.ok(other.destroyed)
  far.destroy()
})

t.test('a writer whose reader is gone learns it, as from a network', async t => {
  const [near, far] = WireEnd.pair()
  far.destroy()
  near.write('into the void')
  const [error] = await once(near, 'error')
  t.equal(error.code, 'EPIPE')
})

t.test('a writer that was held back goes on when its reader is destroyed', async t => {
  const [near, far] = WireEnd.pair()
  const written = new Promise(resolve => { near.write(Buffer.alloc(far.readableHighWaterMark + 1), resolve) })
  await once(far, 'readable')
  far.destroy()
  await written
  near.destroy()
})

t.test('setTimeout reports silence, counts from the last traffic, and ends with 0', async t => {
  const [near, far] = WireEnd.pair()
  const alive = setTimeout(() => {}, LIMIT) // as with a net.Socket, the silence alone keeps no process alive
  let calls = 0
  near.setTimeout(10, () => { calls++ })
  await once(near, 'timeout')
  clearTimeout(alive)
  t.equal(calls, 1)

  const [writer, reader] = WireEnd.pair()
  let late = 0
  for (const end of [writer, reader]) end.setTimeout(SILENCE).on('timeout', () => { late++ })
  reader.resume()
  for (let i = 0; i < 8; i++) {
    writer.write('x')
    await sleep(SILENCE / 5)
  }
  t.equal(late, 0, 'traffic starts the time anew at both ends')
  writer.setTimeout(0)
  reader.setTimeout(0)
  await sleep(1.5 * SILENCE)
  t.equal(late, 0, '0 ends it')
  writer.destroy()
  reader.destroy()
  near.destroy()
  far.destroy()
})

t.test('bytesWritten counts what was written, sent or waiting, as a net.Socket does', async t => {
  const [near, far] = WireEnd.pair()
  t.equal(near.bytesWritten, 0)
  near.write('é')
  t.equal(near.bytesWritten, 2, 'at once')
  near.cork()
  near.write(Buffer.alloc(far.readableHighWaterMark))
  near.write('abc')
  t.equal(near.bytesWritten, far.readableHighWaterMark + 5, 'while it waits')
  near.uncork()
  near.end()
  t.equal((await text(far)).length, far.readableHighWaterMark + 4)
  t.equal(near.bytesWritten, far.readableHighWaterMark + 5, 'when it is sent')
  t.equal(far.bytesWritten, 0)
  far.end()
})

t.test('what else HTTP and ws ask of a socket is there', async t => {
  const [near, far] = WireEnd.pair()
  t.equal(near.setNoDelay().setKeepAlive().ref().unref(), near)
  t.equal(near.remoteAddress, '127.0.0.1')
  near.destroy()
  far.destroy()
})
