// An example, built by the test, over real sockets.
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { Running } from '../helpers/app'

/** Listens on a free port; closed at the test's end. */
export async function serve (t: Test, app: Pick<FastifyInstance, 'listen'>): Promise<Running> {
  const running = new Running(app as FastifyInstance, 'tcp', [])
  t.teardown(() => running.close())
  await app.listen({ port: 0, host: '127.0.0.1' })
  return running
}
