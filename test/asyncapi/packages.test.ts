import { existsSync } from 'node:fs'
import t from 'tap'
import { find } from '../../src/asyncapi/packages'

t.test('finds a package, a module of it, and one that another package has', async t => {
  t.ok(existsSync(find('yaml')))
  const component = find('@asyncapi/web-component', '@asyncapi/web-component/package.json')
  t.match(component, /web-component.package\.json$/)
  t.ok(existsSync(find('@asyncapi/react-component', '@asyncapi/react-component/package.json', component)))
})

t.test('a package that is not installed is an error that names it, and an answer of 501', async t => {
  const missing = { code: 'FST_WS_ASYNCAPI_NO_PACKAGE', statusCode: 501, message: 'this needs the package not-there, which is not installed', cause: { code: 'MODULE_NOT_FOUND' } }
  t.throws(() => find('not-there'), missing)
  t.throws(() => find('not-there', 'not-there/x.js', find('yaml')), missing)
})
