import t from 'tap'
import { capitalise, Keys, toCamelCase, toKey } from '../../src/asyncapi/keys'

t.test('a key that is taken gets a number', async t => {
  const keys = new Keys()
  t.same(['a', 'b', 'a', 'a_2', 'a', 'constructor'].map(name => keys.take(name)), ['a', 'b', 'a_2', 'a_2_2', 'a_3', 'constructor'])
})

t.test('a key has only what AsyncAPI allows for', async t => {
  for (const [name, key] of [['a.b-c_d', 'a.b-c_d'], ['http://example.com/a b.json#', 'http_example.com_a_b.json'], ['__proto__', 'proto'], ['é', 'unnamed'], ['', 'unnamed']] as const) t.equal(toKey(name), key, name)
})

t.test('an address becomes one word', async t => {
  for (const [text, word] of [['/', 'root'], ['/rooms/{id}', 'roomsId'], ['/a-b.c/{d}-{e}', 'aBCDE'], ['openRoom', 'openRoom']] as const) t.equal(toCamelCase(text), word, text)
  t.equal(capitalise('roomsId'), 'RoomsId')
})
