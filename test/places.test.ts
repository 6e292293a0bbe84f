import t from 'tap'
import { EventEmitter, once } from 'node:events'
import { PassThrough } from 'node:stream'
import { Places } from '../src/places'
import type { PendingUpgrade } from '../src/upgrade'

function upgrade (): PendingUpgrade & { stream: PassThrough } {
  return { stream: new PassThrough(), rawResponse: new EventEmitter() } as unknown as PendingUpgrade & { stream: PassThrough }
}

function placesWithin (places: Places, key: string, limit: number): number {
  let count = 0
  while (places.take(key, limit, upgrade())) count++
  return count
}

t.test('gives each key so many places', async t => {
  const places = new Places()
  t.ok(places.take('a', 2, upgrade()))
  t.equal(placesWithin(places, 'a', 3), 2)
  t.equal(placesWithin(places, 'b', 3), 3)
  t.notOk(places.take('a', 2, upgrade()))
})

t.test('frees a place once, by the end of the stream or of the response', async t => {
  for (const events of [['close'], ['finish'], ['finish', 'close'], ['close', 'finish']]) {
    const places = new Places()
    const first = upgrade()
    places.take('a', 3, first)
    places.take('a', 3, upgrade())
    for (const event of events) (event === 'close' ? first.stream : first.rawResponse).emit(event)
    t.equal(placesWithin(places, 'a', 5), 4, events.join())
  }
})

t.test('gives the last one back too', async t => {
  const places = new Places()
  const only = upgrade()
  places.take('a', 1, only)
  only.stream.destroy()
  await once(only.stream, 'close')
  t.equal(placesWithin(places, 'a', 1), 1)
})

t.test('gives who has gone no place', async t => {
  const places = new Places()
  const gone = upgrade()
  gone.stream.destroy()
  for (let i = 0; i < 3; i++) t.ok(places.take('a', 1, gone))
  t.equal(placesWithin(places, 'a', 1), 1)
})
