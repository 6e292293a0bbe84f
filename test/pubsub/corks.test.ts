import { PassThrough } from 'node:stream'
import t from 'tap'
import { Corks, type Corked } from '../../src/pubsub/corks'

t.test('corks a stream until the code that runs has run, however often it is asked', async t => {
  const corks = new Corks()
  const member: Corked = { isCorked: false, stream: new PassThrough() }
  const other: Corked = { isCorked: false, stream: undefined }
  for (let i = 0; i < 3; i++) corks.cork(member)
  corks.cork(other)
  t.equal(member.stream?.writableCorked, 1)
  t.equal(member.isCorked, true)
  await new Promise(resolve => { process.nextTick(resolve) })
  t.equal(member.stream?.writableCorked, 0)
  t.same([member.isCorked, other.isCorked], [false, false])
  corks.cork(member)
  t.equal(member.stream?.writableCorked, 1)
  await new Promise(resolve => { process.nextTick(resolve) })
  t.equal(member.stream?.writableCorked, 0)
})
