import t from 'tap'
import { conformance } from '../../src/pubsub/conformance'
import { memory } from '../../src/pubsub/memory'
import type { Engine } from '../../types/pubsub'
import { Bus } from '../helpers/bus'
import { checkLeaksAtEnd } from '../helpers/leaks'

checkLeaksAtEnd(t)

for (const [title, create] of [['memory', () => memory()], ['memory with a history', () => memory({ history: true })]] as const) {
  for (const { name, run } of conformance({ create })) t.test(`${title} ${name}`, run)
}

for (const history of [false, true]) {
  let bus = new Bus()
  const create = (): Engine => bus.engine({ history })
  const interrupt = async (): Promise<void> => { for (const engine of bus.engines) engine.down() }
  const resume = async (): Promise<void> => { for (const engine of bus.engines) engine.up() }
  for (const { name, run } of conformance({ create, interrupt, resume })) {
    t.test(`a bus ${history ? 'with' : 'without'} a history ${name}`, async () => {
      bus = new Bus()
      bus.forgotten = '1-0'
      await run()
    })
  }
}

t.test('an engine that does not hold it fails, and in time', async t => {
  class Deaf {
    name = 'deaf'
    ordering = 'local' as const
    start (): void {}
    async subscribe (): Promise<void> {}
    async unsubscribe (): Promise<void> {}
    async publish (): Promise<number> { return 0 }
    async close (): Promise<void> {}
  }
  const tests = conformance({ create: () => new Deaf(), timeout: 20 })
  const results = await Promise.allSettled(tests.map(async ({ run }) => { await run() }))
  t.same(results.map(({ status }) => status).filter(status => status === 'fulfilled'), [])
})
