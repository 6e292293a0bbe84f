import t from 'tap'
import { Nodes, type Question } from '../../src/pubsub/nodes'

/** Nodes with so many sockets each; `silent` ones do not answer. */
function create (sockets: number[], silent: number[] = [], reached: number | undefined = sockets.length): { nodes: Nodes[], asked: Question[] } {
  const asked: Question[] = []
  const nodes = sockets.map((count, node) => new Nodes({
    node,
    answer (question) {
      asked.push(question)
      return count
    },
    async tell (note) {
      const payload = Buffer.from(JSON.stringify(note))
      setImmediate(() => { nodes.forEach((each, other) => { if (other !== node && !silent.includes(other)) each.hear(node, payload) }) })
      return reached
    }
  }))
  return { nodes, asked }
}

t.test('adds up what all nodes answer, as soon as all have', async t => {
  const { nodes, asked } = create([1, 2, 3])
  t.same(await nodes[0]?.ask({ topic: 'a' }, 60_000), { sockets: 6, nodes: 3, missing: 0 })
  t.same(asked, [{ topic: 'a' }, { topic: 'a' }, { topic: 'a' }])
  t.same(await create([5]).nodes[0]?.ask({ topic: 'a' }, 60_000), { sockets: 5, nodes: 1, missing: 0 })
})

t.test('says who has not answered in time, and takes no late answer', async t => {
  const { nodes } = create([1, 2, 3], [2])
  t.same(await nodes[0]?.ask({ topic: 'a' }, 20), { sockets: 3, nodes: 2, missing: 1 })
  nodes[0]?.hear(2, Buffer.from(JSON.stringify({ answer: 1, of: 0, sockets: 3 })))
  t.same(await nodes[0]?.ask({ topic: 'a' }, 20), { sockets: 3, nodes: 2, missing: 1 })
})

t.test('does not know who is missing where the engine does not know who was asked', async t => {
  const hubs = { node: 1, answer: () => 2, tell: async () => undefined }
  t.same(await new Nodes(hubs).ask({ topic: 'a' }, 20), { sockets: 2, nodes: 1, missing: undefined })
})

t.test('questions at the same time are told apart', async t => {
  const { nodes } = create([1, 2, 3])
  const answers = await Promise.all([0, 1, 2, 0].map(async node => await nodes[node]?.ask({ topic: 'a', close: { code: 4000, reason: 'x' } }, 60_000)))
  for (const answer of answers) t.same(answer, { sockets: 6, nodes: 3, missing: 0 })
})

t.test('rejects where nobody can be asked, and ends with the hub', async t => {
  const deaf = new Nodes({ node: 1, answer: () => 2, tell: async () => { throw new Error('down') } })
  await t.rejects(deaf.ask({ topic: 'a' }, 60_000), { message: 'down' })
  deaf.hear(2, Buffer.from(JSON.stringify({ ask: 1, question: { topic: 'a' } })))
  const { nodes } = create([1, 2], [1])
  const answer = nodes[0]?.ask({ topic: 'a' }, 60_000)
  nodes[0]?.close()
  t.same(await answer, { sockets: 1, nodes: 1, missing: 1 })
})
