'use strict'

const fastify = require('fastify')
const websocket = require('fastify-wss')
const asyncapi = require('fastify-wss/asyncapi')

async function main () {
  const app = fastify()
  app.register(websocket)
  app.register(asyncapi, { info: { title: 'Packed', version: '1' }, routePrefix: '/asyncapi' })
  app.register(async scope => {
    scope.get('/room/:id', { websocket: true }, () => {})
  })
  await app.ready()
  console.log(Object.keys(app.asyncapi().channels).join())
  for (const path of ['.json', '.yaml', '']) {
    const response = await app.inject(`/asyncapi${path}`)
    console.log(response.statusCode, response.statusCode === 200 ? response.json().info.title : response.json().message)
  }
  await app.close()
}

main()
