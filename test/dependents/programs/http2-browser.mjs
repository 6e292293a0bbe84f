// graphql-ws and tRPC over HTTP/2, with their clients in a browser: node http2-browser.mjs BROWSER TLS_FOLDER

import { readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import websocket from '@fastify/websocket'
import { initTRPC } from '@trpc/server'
import { fastifyTRPCPlugin } from '@trpc/server/adapters/fastify'
import Fastify from 'fastify'
import { GraphQLInt, GraphQLObjectType, GraphQLSchema, GraphQLString } from 'graphql'
import { makeHandler } from 'graphql-ws/use/@fastify/websocket'
import { chromium } from 'playwright-core'
import { listen } from './client.mjs'

const [executablePath, tls] = process.argv.slice(2)
const MODULES = ['graphql-ws/client', '@trpc/client', '@trpc/server', '@trpc/server/observable', '@trpc/server/rpc', '@trpc/server/unstable-core-do-not-import']
const folder = fileURLToPath(new URL('node_modules', import.meta.url))

const schema = new GraphQLSchema({
  query: new GraphQLObjectType({ name: 'Query', fields: { hello: { type: GraphQLString, resolve: (root, args, { request }) => `hello over ${request.raw.httpVersion}` } } }),
  subscription: new GraphQLObjectType({
    name: 'Subscription',
    fields: { countdown: { type: GraphQLInt, async * subscribe () { for (let countdown = 3; countdown > 0; countdown--) yield { countdown } } } }
  })
})
const trpc = initTRPC.context().create()
const router = trpc.router({
  greet: trpc.procedure.input(input => input).query(({ input, ctx }) => `hello ${input} over ${ctx.version}`),
  count: trpc.procedure.subscription(async function * () { for (let number = 1; number <= 3; number++) yield number })
})

const app = Fastify({ http2: true, https: { allowHTTP1: true, key: readFileSync(join(tls, 'key.pem')), cert: readFileSync(join(tls, 'cert.pem')) } })
const sessions = new Set()
app.server.on('session', session => { sessions.add(session) })
await app.register(websocket)
app.get('/graphql', { websocket: true }, makeHandler({ schema, context: ({ extra }) => extra }))
await app.register(fastifyTRPCPlugin, { prefix: '/trpc', useWSS: true, trpcOptions: { router, createContext: ({ req }) => ({ version: req.raw?.httpVersion ?? req.httpVersion }) } })

// The packages as they are installed: the browser is told where each name leads.
app.get('/modules/*', async (request, reply) => await reply.type('text/javascript').send(readFileSync(join(folder, request.params['*']))))
app.get('/', async (_request, reply) => {
  const imports = Object.fromEntries(MODULES.map(name => [name, `/modules/${relative(folder, fileURLToPath(import.meta.resolve(name)))}`]))
  return await reply.type('text/html').send(`<!doctype html><title>clients</title>
    <script type="importmap">${JSON.stringify({ imports })}</script>
    <script type="module">
      import { createClient } from 'graphql-ws/client'
      import { createTRPCClient, createWSClient, wsLink } from '@trpc/client'
      const lines = []
      const graphql = createClient({ url: 'wss://' + location.host + '/graphql' })
      for await (const { data } of graphql.iterate({ query: '{ hello }' })) lines.push('query: ' + data.hello)
      const numbers = []
      for await (const { data } of graphql.iterate({ query: 'subscription { countdown }' })) numbers.push(data.countdown)
      lines.push('subscription: ' + numbers.join(' '))
      await graphql.dispose()
      const wsClient = createWSClient({ url: 'wss://' + location.host + '/trpc' })
      const client = createTRPCClient({ links: [wsLink({ client: wsClient })] })
      lines.push('tRPC query: ' + await client.greet.query('world'))
      const counted = []
      await new Promise((resolve, reject) => {
        client.count.subscribe(undefined, { onData (data) { counted.push(data) }, onError: reject, onComplete: resolve })
      })
      lines.push('tRPC subscription: ' + counted.join(' '))
      await wsClient.close()
      window.lines = lines
    </script>`)
})

const host = await listen(app)
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--ignore-certificate-errors'] })
const page = await (await browser.newContext({ ignoreHTTPSErrors: true })).newPage()
page.on('pageerror', error => { console.log('in the page:', error.message) })
await page.goto(`https://${host}/`)
await page.waitForFunction('window.lines')
for (const line of await page.evaluate('window.lines')) console.log(line)
console.log('sessions:', sessions.size)
await browser.close()
await app.close()
