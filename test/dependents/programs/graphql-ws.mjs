// GraphQL over websockets: the handler that graphql-ws has for @fastify/websocket, and the client of graphql-ws.

import websocket from '@fastify/websocket'
import Fastify from 'fastify'
import { GraphQLInt, GraphQLObjectType, GraphQLSchema, GraphQLString } from 'graphql'
import { createClient } from 'graphql-ws'
import { makeHandler } from 'graphql-ws/use/@fastify/websocket'
import { WebSocket } from 'ws'
import { closed, listen, upgrade } from './client.mjs'

const PROTOCOL = 'graphql-transport-ws'

const schema = new GraphQLSchema({
  query: new GraphQLObjectType({
    name: 'Query',
    fields: { hello: { type: GraphQLString, resolve: (root, args, { request }) => `hello from ${request.url}` } }
  }),
  subscription: new GraphQLObjectType({
    name: 'Subscription',
    fields: {
      countdown: {
        type: GraphQLInt,
        args: { from: { type: GraphQLInt } },
        async * subscribe (root, { from }) {
          for (let countdown = from; countdown > 0; countdown--) yield { countdown }
        }
      },
      silence: {
        type: GraphQLInt,
        async * subscribe () {
          yield { silence: 0 }
          await new Promise(() => {})
        }
      }
    }
  })
})

let onLeave = () => {}
const app = Fastify()
await app.register(websocket)
app.get('/impatient', { websocket: true }, makeHandler({ schema, connectionInitWaitTimeout: 50 }))
app.get('/graphql', { websocket: true }, makeHandler({
  schema,
  context: ({ extra }) => extra,
  onConnect: async ({ connectionParams }) => {
    if (connectionParams?.token === 'broken') throw new Error('the token store is on fire')
    return connectionParams?.token === 'secret'
  },
  onClose: (context, code, reason) => onLeave(`${code} ${reason}`)
}))
const host = await listen(app)
const url = `ws://${host}/graphql`

const stranger = await upgrade(url, { protocols: ['something-else'] })
console.log('another protocol:', await closed(stranger.socket))

const silent = await upgrade(`ws://${host}/impatient`, { protocols: ['something-else', PROTOCOL] })
console.log('chosen of two protocols:', silent.socket.protocol)
console.log('no connectionInit:', await closed(silent.socket))

const hasty = await upgrade(url, { protocols: [PROTOCOL] })
hasty.socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query: '{ hello }' } }))
console.log('subscribed before connectionInit:', await closed(hasty.socket))

console.log('wrong token:', await interrupted('guess'))
console.log('onConnect failed:', await interrupted('broken'))

const client = connect('secret', { lazy: false })
for await (const { data } of client.iterate({ query: '{ hello }' })) console.log('query:', data.hello)
const numbers = []
for await (const { data } of client.iterate({ query: 'subscription { countdown (from: 3) }' })) numbers.push(data.countdown)
console.log('subscription:', numbers.join(' '))
const leaving = new Promise(resolve => { onLeave = resolve })
await client.dispose()
console.log('client disposed, the server saw:', await leaving)

console.log('error of a socket:', await interrupted('secret', () => {
  for (const socket of app.websocketServer.clients) socket.emit('error', new Error('out of sockets'))
}))
console.log('error of the server:', await interrupted('secret', () => {
  app.websocketServer.emit('error', new Error('out of servers'))
}))
console.log('application closed:', await interrupted('secret', () => app.close()))

function connect (token, options) {
  return createClient({ url, webSocketImpl: WebSocket, connectionParams: { token }, retryAttempts: 0, ...options })
}

/** What a client is told when this happens amid its subscription. */
async function interrupted (token, interrupt) {
  try {
    const results = connect(token).iterate({ query: 'subscription { silence }' })
    await results.next()
    await Promise.all([results.next(), interrupt()])
  } catch ({ code, reason }) {
    return `${code} ${reason}`.trim()
  }
}
