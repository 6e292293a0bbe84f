import t from 'tap'
import { addressesOf } from '../../src/asyncapi/address'

const CASES: Array<[string, string, Record<string, string>?]> = [
  ['/', '/'],
  ['/rooms', '/rooms'],
  ['/rooms/:id', '/rooms/{id}', { id: 'id' }],
  ['/rooms/:id/:other_one/x', '/rooms/{id}/{other_one}/x', { id: 'id', other_one: 'other_one' }],
  ['/rooms/:id(^\\d+$)', '/rooms/{id}', { id: 'id' }],
  ['/rooms/:id(^(a|b\\)){2}$)/x', '/rooms/{id}/x', { id: 'id' }],
  ['/at/:hour(^\\d{2})h:minute(^\\d{2})m', '/at/{hour}h{minute}m', { hour: 'hour', minute: 'minute' }],
  ['/near/:lat-:lng', '/near/{lat}-{lng}', { lat: 'lat', lng: 'lng' }],
  ['/files/:name.:ext', '/files/{name}.{ext}', { name: 'name', ext: 'ext' }],
  ['/files/*', '/files/{wildcard}', { wildcard: '*' }],
  ['*', '{wildcard}', { wildcard: '*' }],
  ['/rooms::open', '/rooms:open'],
  ['/::id', '/:id'],
  ['/:größe', '/{gr_e}', { gr_e: 'größe' }],
  ['/:id(', '/{id}(', { id: 'id' }],
  ['/a:', '/a:']
]

for (const [url, address, parameters = {}] of CASES) {
  t.test(`${url} is the address ${address}`, async t => {
    t.same(addressesOf(url).map(each => ({ ...each, parameters: Object.fromEntries(each.parameters) })), [{ address, parameters }])
  })
}

t.test('a route whose last parameter is optional has two addresses', async t => {
  for (const [url, ...addresses] of [['/rooms/:id?', '/rooms', '/rooms/{id}'], ['/:id?', '/', '/{id}'], ['/:a/:b?/', '/{a}', '/{a}/{b}/']] as const) {
    t.same(addressesOf(url).map(({ address }) => address), addresses, url)
  }
})
