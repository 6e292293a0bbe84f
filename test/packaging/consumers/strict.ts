// Compiled as CommonJS, as an ES module under a bundler, and with and without esModuleInterop.

import { fastify } from 'fastify'
import type { FastifyInstance, FastifyPluginAsync } from 'fastify'
import websocket, { fastifyWebsocket } from 'fastify-wss'
import type { RouteOptions, WebSocket, WebsocketHandler, WebsocketPluginOptions } from 'fastify-wss'
import { readMessages } from 'fastify-wss/testing'

const options: WebsocketPluginOptions = {
  options: { maxPayload: 1024, verifyClient: async info => info.secure },
  errorHandler (error, socket, request) {
    request.log.error(error)
    socket.close(1011)
  },
  preClose (done) { this.websocketServer.close(done) },
  shutdown: { code: 1001 }
}

const handler: WebsocketHandler = function (socket, request) {
  const server: FastifyInstance = this
  socket.on('message', data => { socket.send(`${server.prefix} ${request.id} ${String(data)}`) })
}

const routes: FastifyPluginAsync = async scope => {
  scope.get<{ Params: { id: string } }>('/:id', { websocket: true }, (socket: WebSocket, request) => {
    const id: string = request.params.id
    socket.send(id)
  })
  scope.route({ method: 'GET', url: '/only', websocket: true, handler })
  scope.route({ method: 'GET', url: '/both', handler: async (request, reply) => { await reply.send(request.ws) }, wsHandler: handler })
  const route: RouteOptions = { method: 'GET', url: '/object', handler: () => {}, wsHandler: handler }
  scope.route(route)
  // @ts-expect-error: a websocket handler gets no reply
  scope.get('/three', { websocket: true }, (socket: WebSocket, request: unknown, reply: unknown) => {})
}

export async function build (): Promise<string> {
  const app = fastify()
  app.register(websocket, options)
  app.register(fastifyWebsocket)
  app.register(routes)
  const socket = await app.injectWS('/1', { headers: { cookie: 'a=b' }, socket: { remoteAddress: '10.0.0.1' } })
  const inbox = readMessages(socket)
  const id: string = (await inbox.next()).toString()
  return id
}
