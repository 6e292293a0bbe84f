// injectWS gives a real client whose connection stays in memory: no port is opened.
//
//   node --test examples/testing/app.test.mjs
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readMessages } from 'fastify-wss/testing'
import { build } from './app.mjs'

test('a player is greeted and led to the number', async t => {
  const app = await build({ secret: 42 })
  t.after(() => app.close())

  const player = await app.injectWS('/guess?player=Ada')
  const inbox = readMessages(player)
  assert.equal(String(await inbox.next()), 'Good luck, Ada.')

  player.send('10')
  assert.equal(String(await inbox.next()), 'higher')
  player.send('90')
  assert.equal(String(await inbox.next()), 'lower')
  player.send('ten')
  assert.equal(String(await inbox.next()), 'That is not a number.')

  player.send('42')
  assert.deepEqual(await inbox.closed, { code: 1000, reason: 'found' })
})

test('a player without a name is refused', async t => {
  const app = await build()
  t.after(() => app.close())

  await assert.rejects(app.injectWS('/guess'), { message: 'Unexpected server response: 400' })
})
