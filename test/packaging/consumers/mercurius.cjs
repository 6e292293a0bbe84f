'use strict'

// A GraphQL server and the client its users have. Neither knows whose websockets these are.

const { once } = require('node:events')
const fastify = require('fastify')
const { createClient } = require('graphql-ws')
const mercurius = require('mercurius')
const { WebSocket } = require('ws')

const schema = `
  type Query { hello: String }
  type Mutation { say (text: String!): Boolean }
  type Subscription { said: String }
`
const resolvers = {
  Query: { hello: async () => 'hello' },
  Mutation: {
    say: async (root, { text }, { pubsub }) => {
      await pubsub.publish({ topic: 'SAID', payload: { said: text } })
      return true
    }
  },
  Subscription: {
    said: {
      subscribe: async (root, args, { pubsub, user }) => {
        const said = await pubsub.subscribe('SAID')
        await pubsub.publish({ topic: 'SAID', payload: { said: `${user} is here` } })
        return said
      }
    }
  }
}

async function main () {
  const app = fastify()
  app.register(mercurius, {
    schema,
    resolvers,
    subscription: {
      verifyClient: (info, next) => { next(info.req.headers['x-token'] === 'secret', 403) },
      onConnect: async ({ payload }) => ({ user: payload.name }),
      fullWsTransport: true
    }
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  const host = `127.0.0.1:${app.server.address().port}`
  class Member extends WebSocket {
    constructor (url, protocols) { super(url, protocols, { headers: { 'x-token': 'secret' } }) }
  }

  const client = createClient({
    url: `ws://${host}/graphql`,
    webSocketImpl: Member,
    connectionParams: { name: 'someone' },
    retryAttempts: 0
  })
  for await (const { data } of client.iterate({ query: '{ hello }' })) console.log(data.hello)

  const told = []
  for await (const { data } of client.iterate({ query: 'subscription { said }' })) {
    told.push(data.said)
    console.log(data.said)
    if (told.length === 3) break
    await fetch(`http://${host}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: `mutation { say (text: "message ${told.length}") }` })
    })
  }

  const stranger = new WebSocket(`ws://${host}/graphql`, 'graphql-transport-ws')
  const [, response] = await once(stranger, 'unexpected-response')
  console.log(`stranger: ${response.statusCode}`)
  response.resume()

  const confused = new Member(`ws://${host}/graphql`, 'something-else')
  const [code] = await once(confused, 'close')
  console.log(`wrong protocol: ${code}`)

  await app.close()
  await client.dispose()
}

main()
