import t from 'tap'
import { absolute, baseOf, ROOT, Source } from '../../src/asyncapi/source'

const source = new Source({
  $id: 'http://example.com/a.json#',
  definitions: {
    inner: { $id: 'b.json', $anchor: 'here', definitions: { deep: { $id: '#draft-7' } } },
    'with space': {},
    flag: true
  },
  properties: { $id: { type: 'string' } }
})

const FOUND = {
  'http://example.com/a.json': '',
  'http://example.com/a.json#': '',
  'http://example.com/a.json#/definitions/inner': '/definitions/inner',
  'http://example.com/a.json#/definitions/with%20space': '/definitions/with%20space',
  'http://example.com/b.json': '/definitions/inner',
  'http://example.com/b.json#/definitions/deep': '/definitions/inner/definitions/deep',
  'http://example.com/b.json#here': '/definitions/inner',
  'http://example.com/b.json#draft-7': '/definitions/inner/definitions/deep'
}

for (const [uri, pointer] of Object.entries(FOUND)) {
  t.test(`${uri} is at "${pointer}"`, async t => {
    t.equal(source.find(uri), pointer)
  })
}

for (const uri of [ROOT, 'http://example.com/c.json', 'http://example.com/a.json#/definitions/none', 'http://example.com/a.json#/definitions/flag', 'http://example.com/a.json#here', 'http://example.com/b.json#none']) {
  t.test(`${uri} is not there`, async t => {
    t.equal(source.find(uri), undefined)
  })
}

t.test('a schema without an $id is the root, and an anchor is no base', async t => {
  t.equal(new Source({}).find(ROOT), '')
  t.equal(baseOf({ $id: '#anchor' }, ROOT), ROOT)
  t.equal(baseOf({ $id: 5 }, ROOT), ROOT)
  t.equal(baseOf({ $id: 'shared#' }, ROOT), 'schema:/shared')
})

t.test('a reference is a URI, relative to where it stands', async t => {
  t.equal(absolute('b.json#/x', 'http://example.com/a.json'), 'http://example.com/b.json#/x')
  t.equal(absolute('#/x', 'urn:example:a'), 'urn:example:a#/x')
  t.equal(absolute('b', 'urn:example:a'), 'b', 'one that cannot be relative to that stays as it is')
})
