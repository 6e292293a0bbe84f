import t from 'tap'
import { readOptions } from '../../src/asyncapi/options'
import { info } from '../helpers/asyncapi'

t.test('knows what is meant where nothing is said', async t => {
  t.strictSame(readOptions({ info }), { id: undefined, info, servers: undefined, defaultContentType: 'application/json', securitySchemes: {}, routePrefix: undefined, transform: undefined })
  t.strictSame(readOptions({ info, id: null, servers: null, defaultContentType: null, securitySchemes: null, routePrefix: null, transform: null } as never), readOptions({ info, routePrefix: false }))
})

t.test('takes what is said, and leaves Fastify its own', async t => {
  const given = { info, id: 'urn:a', servers: { a: { host: 'a', protocol: 'ws' } }, defaultContentType: 'text/plain', securitySchemes: { 'a.b-c_1': {} }, routePrefix: '/docs/asyncapi', transform: () => ({}) }
  t.strictSame(readOptions({ ...given, prefix: '/x', logLevel: 'info' } as typeof given), given)
})

t.test('refuses what makes no sense', async t => {
  const bad: Array<[object, RegExp]> = [
    [{ info: undefined }, /info must be there, with a title and a version/],
    [{ info: 'An application' }, /info must be an object/],
    [{ info: {} }, /info\.title must be a string/],
    [{ info: { title: '', version: '1' } }, /info\.title must be a string/],
    [{ info: { title: 'x', version: 1 } }, /info\.version must be a string/],
    [{ id: 5 }, /id must be a string/],
    [{ servers: [] }, /servers must be an object/],
    [{ defaultContentType: '' }, /defaultContentType must be a string/],
    [{ securitySchemes: [] }, /securitySchemes must be an object of objects/],
    [{ securitySchemes: { a: null } }, /securitySchemes must be an object of objects/],
    [{ securitySchemes: { a: 'key' } }, /securitySchemes must be an object of objects/],
    [{ securitySchemes: { 'a b': {} } }, /securitySchemes must be .* names are made of/],
    [{ routePrefix: true }, /routePrefix must be false, or a path/],
    [{ routePrefix: 'asyncapi' }, /routePrefix must be/],
    [{ routePrefix: '/asyncapi/' }, /routePrefix must be/],
    [{ routePrefix: '/' }, /routePrefix must be/],
    [{ routePrefix: '/:x' }, /routePrefix must be/],
    [{ transform: {} }, /transform must be a function/],
    [{ tranform () {} }, /asyncapi\.tranform is not known/]
  ]
  for (const [options, message] of bad) t.throws(() => readOptions({ info, ...options } as never), { code: 'FST_WS_INVALID_OPTION', message })
})
