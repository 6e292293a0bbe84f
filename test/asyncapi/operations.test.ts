import t from 'tap'
import { build, describe, describeRoute } from '../helpers/asyncapi'

const say = { type: 'object', properties: { type: { const: 'say' } } }
const said = { type: 'object', properties: { type: { const: 'said' } } }
const securitySchemes = {
  key: { type: 'httpApiKey', in: 'header', name: 'x-key' },
  login: { type: 'oauth2', flows: { clientCredentials: { tokenUrl: 'https://example.com/token', availableScopes: { read: 'Reads.' } } } }
}

t.test('the application receives what is declared as receive, and sends what is declared as send', async t => {
  const { operations } = await describeRoute(t, { summary: 'Talk', tags: ['rooms'], deprecated: true, messages: { receive: { anyOf: [say, said] }, send: said } })
  const common = { channel: { $ref: '#/channels/root' }, summary: 'Talk', tags: [{ name: 'rooms' }], 'x-deprecated': true }
  t.same(operations, {
    receiveRoot: { action: 'receive', ...common, messages: [{ $ref: '#/channels/root/messages/say' }, { $ref: '#/channels/root/messages/said' }] },
    sendRoot: { action: 'send', ...common, messages: [{ $ref: '#/channels/root/messages/said' }] }
  })
})

t.test('a direction in which nothing is declared is no operation', async t => {
  t.same(Object.keys((await describeRoute(t, { messages: { send: said } })).operations), ['sendRoot'])
  t.same((await describeRoute(t, {})).operations, {})
})

t.test('security is that of the route: by reference, or with the scopes that it asks for', async t => {
  const { operations, components } = await describeRoute(t, { messages: { receive: say }, security: [{ key: [] }, { login: ['read'] }] }, { securitySchemes })
  t.same(operations.receiveRoot?.security, [{ $ref: '#/components/securitySchemes/key' }, { ...securitySchemes.login, scopes: ['read'] }])
  t.same(components.securitySchemes, securitySchemes)
})

t.test('what has to hold together in OpenAPI stands side by side, and no security is none', async t => {
  const { operations } = await describe(t, app => {
    app.get('/both', { websocket: true, schema: { messages: { receive: say }, security: [{ key: [], login: [] }] } as object }, () => {})
    app.get('/none', { websocket: true, schema: { messages: { receive: say }, security: [{}] } as object }, () => {})
  }, { securitySchemes })
  t.same(operations.receiveBoth?.security, [{ $ref: '#/components/securitySchemes/key' }, { $ref: '#/components/securitySchemes/login' }])
  t.same(operations.receiveNone?.security, [])
})

t.test('a scheme that is not there is an error that names it', async t => {
  for (const name of ['other', 'toString']) {
    const app = await build(t, app => { app.get('/', { websocket: true, schema: { messages: { receive: say }, security: [{ [name]: [] }] } as object }, () => {}) }, { securitySchemes })
    t.throws(() => app.asyncapi(), { code: 'FST_WS_ASYNCAPI_UNKNOWN_REFERENCE', message: `the schema of the route / refers to the security scheme ${name}, which is not there` })
  }
})
