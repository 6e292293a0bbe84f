import t from 'tap'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { serve } from './serve'

checkLeaksAtEnd(t)

t.test('the authentication example', async t => {
  const { build } = await import('../../examples/authentication.mjs')

  t.test('greets a client with a known token by name', async t => {
    const running = await serve(t, await build())
    const { inbox } = await running.connect('/account', { headers: { authorization: 'Bearer ada-token' } })

    t.equal(String(await inbox.next()), 'Hello, Ada.')
  })

  const refused = { 'no header': {}, 'a wrong token': { authorization: 'Bearer x' }, 'another scheme': { authorization: 'Basic ada-token' } }
  for (const [what, headers] of Object.entries(refused)) {
    t.test(`refuses a client with ${what}: 401, with JSON that says what is missing`, async t => {
      const running = await serve(t, await build())
      const client = await running.raw()
      const response = await client.upgrade('/account', headers).readResponse()

      t.equal(response.status, 401)
      t.equal(response.headers['www-authenticate'], 'Bearer')
      t.match(response.headers['content-type'], /^application\/json/)
      t.match(JSON.parse(response.body), { error: 'Unauthorized', message: /Bearer <token>/ })
    })
  }
})
