import { readdirSync, readFileSync } from 'node:fs'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { problemsOf } from '../helpers/asyncapi'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { serve } from './serve'

checkLeaksAtEnd(t)

// Those that are described: whatever else they are, they can be built without a word.
const described = readdirSync('examples', { recursive: true, encoding: 'utf8' })
  .filter(file => /\.m[jt]s$/.test(file) && readFileSync(`examples/${file}`, 'utf8').includes("from 'fastify-wss/asyncapi'"))

t.test('the example of a description is one of those that are described', async t => {
  t.ok(described.includes('asyncapi.mjs'))
})

for (const file of described) {
  t.test(`the document of examples/${file} is one that AsyncAPI's own parser has nothing to say about`, async t => {
    const { build } = await import(`../../examples/${file.replace(/\.mts$/, '.mjs')}`)
    const app: FastifyInstance = await build()
    t.teardown(() => app.close())
    await app.ready()
    t.same(await problemsOf(app.asyncapi()), [])
    t.ok(Object.keys(app.asyncapi().operations).length > 0, 'and it tells of messages')
  })
}

t.test('the example says how the secret compares to a guess, and takes nothing else', async t => {
  const { build } = await import('../../examples/asyncapi.mjs')
  const running = await serve(t, await build({ secret: 42 } as object))
  const { socket, inbox } = await running.connect('/guess')
  for (const [number, secretIs] of [[50, 'lower'], [1, 'higher'], [42, 'found']] as const) {
    socket.send(JSON.stringify({ number }))
    t.same(JSON.parse(String(await inbox.next())), { secretIs })
  }
  for (const wrong of ['{"number":0}', '{"number":101}', '{"number":"5"}', 'null', 'x']) {
    const client = await running.connect('/guess')
    client.socket.send(wrong)
    t.match(await client.inbox.closed, { code: 1008 }, wrong)
  }
  t.match(await (await fetch(running.url('/asyncapi'))).text(), '<title>Guess the number</title>')
})
