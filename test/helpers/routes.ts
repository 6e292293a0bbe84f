import type { FastifyInstance } from 'fastify'

/** A route that says back what it hears. */
export function echo (app: FastifyInstance, path = '/'): void {
  app.get(path, { websocket: true }, socket => { socket.on('message', data => { socket.send(String(data)) }) })
}

/** The same behind a hook that answers everything with 403 and this body. */
export function refuseWith (body: () => unknown): (app: FastifyInstance) => void {
  return app => {
    app.addHook('onRequest', async (request, reply) => { await reply.code(403).send(body()) })
    echo(app)
  }
}
