// tRPC on Fastify with useWSS, and wsLink as its client.

import { once } from 'node:events'
import websocket from '@fastify/websocket'
import { createTRPCClient, createWSClient, httpLink, wsLink } from '@trpc/client'
import { initTRPC, tracked, TRPCError } from '@trpc/server'
import { fastifyTRPCPlugin } from '@trpc/server/adapters/fastify'
import Fastify from 'fastify'
import { WebSocket } from 'ws'
import { listen } from './client.mjs'

const trpc = initTRPC.context().create()
const notes = []
const anyInput = input => input

const router = trpc.router({
  greet: trpc.procedure.input(anyInput).query(({ input, ctx }) => `hello ${input}, ${ctx.user}`),
  note: trpc.procedure.input(anyInput).mutation(({ input }) => notes.push(input)),
  secret: trpc.procedure.query(() => { throw new TRPCError({ code: 'FORBIDDEN', message: 'not for you' }) }),
  count: trpc.procedure.input(anyInput).subscription(async function * ({ input, signal }) {
    const start = Number(input.lastEventId ?? 0) + 1
    for (let number = start; number < start + 3; number++) yield tracked(String(number), number)
    if (input.isEndless && !signal.aborted) await once(signal, 'abort')
  })
})

async function serve (port) {
  const app = Fastify()
  await app.register(websocket)
  await app.register(fastifyTRPCPlugin, {
    prefix: '/trpc',
    useWSS: true,
    trpcOptions: {
      router,
      keepAlive: { enabled: true, pingMs: 50, pongWaitMs: 5000 },
      createContext: ({ req, info }) => ({ user: info.connectionParams?.user ?? 'somebody' })
    }
  })
  return { app, host: await listen(app, port) }
}

let { app, host } = await serve(0)
const wsClient = createWSClient({
  url: `ws://${host}/trpc`,
  WebSocket,
  connectionParams: { user: 'ada' },
  retryDelayMs: () => 20,
  onClose: cause => console.log('closed:', cause?.code)
})
const client = createTRPCClient({ links: [wsLink({ client: wsClient })] })
const plainClient = createTRPCClient({ links: [httpLink({ url: `http://${host}/trpc` })] })

console.log('query:', await client.greet.query('world'))
console.log('query over HTTP:', await plainClient.greet.query('world'))
console.log('mutation:', await client.note.mutate('milk'), notes.join())
console.log('refused:', await client.secret.query().catch(({ data, message }) => `${data.code} ${message}`))
console.log('together:', (await Promise.all(['a', 'b', 'c'].map(name => client.greet.query(name)))).join('; '))

const counted = []
await new Promise((resolve, reject) => {
  client.count.subscribe({ isEndless: false }, {
    onData: ({ data }) => counted.push(data),
    onComplete: resolve,
    onError: reject
  })
})
console.log('subscription:', counted.join(' '))

// A subscription that outlives its server: it goes on after the last number it got.
const received = listener()
const subscription = client.count.subscribe({ isEndless: true }, { onData: ({ data }) => received.add(data) })
console.log('before the restart:', (await received.take(3)).join(' '))
await app.close();
({ app, host } = await serve(Number(host.split(':')[1])))
console.log('after the restart:', (await received.take(3)).join(' '))

subscription.unsubscribe()
await wsClient.close()
await app.close()

function listener () {
  const items = []
  let onItem = () => {}
  return {
    add (item) {
      items.push(item)
      onItem()
    },
    async take (count) {
      while (items.length < count) await new Promise(resolve => { onItem = resolve })
      return items.splice(0, count)
    }
  }
}
