// The whole of a refused upgrade: the client gets all of the answer, and the server keeps nothing, however clients leave.
import type { Test } from 'tap'
import { isOverHttp2, type Running } from './app'
import { assertServerHoldsNothing } from './leaks'
import { LIMIT, within } from './limit'
import { frame, type Headers, type RawClient, type RawResponse } from './raw-client'

// More than a server reads ahead. Half of the clients do not wait for the answer with their first frames.
const EARLY_FRAMES = frame('binary', Buffer.alloc(256 * 1024))

export interface RefusalOptions {
  path?: string;
  headers?: Headers;
  status: number;
  /** What the body is, matches or, given a function, is checked to be. */
  body?: string | RegExp | ((body: string, response: RawResponse) => void);
  /** How many clients there are. Default 8. */
  clients?: number;
  /** How clients leave once they have read the answer, in turn. Default FIN, then RST. */
  leave?: Array<'fin' | 'reset' | 'never'>;
  /** `false` leaves the application open, for another refusal. Default true. */
  close?: boolean;
  /** Milliseconds for each step. Default LIMIT. */
  limit?: number;
}

/** Asserts it all, and gives the responses for what else a test wants to know. */
export async function assertRefusal (t: Test, running: Running, options: RefusalOptions): Promise<RawResponse[]> {
  const { path = '/', headers, clients: count = 8, leave = ['fin', 'reset'], limit = LIMIT } = options
  const clients = await Promise.all(Array.from({ length: count }, () => running.raw()))
  clients.forEach((client, index) => {
    client.upgrade(path, headers)
    if (index % 4 > 1) client.write(EARLY_FRAMES)
  })
  const responses = await Promise.all(clients.map(client => client.readResponse({ limit })))
  // There a 2xx would open the websocket.
  const status = isOverHttp2(running.over) && options.status < 300 ? 403 : options.status
  for (const response of responses) assertResponse(t, response, { ...options, status })

  clients.forEach((client, index) => leaveBy(client, leave[index % leave.length]))
  await assertServerHoldsNothing(t, running.server)
  if (options.close ?? true) await t.resolves(within(running.app.close(), 'app.close()', limit), 'the application closes')
  return responses
}

function assertResponse (t: Test, response: RawResponse, { status, body }: RefusalOptions): void {
  t.equal(response.status, status, `the answer is ${status}`)
  t.equal(response.headers.connection?.toLowerCase(), 'close', 'the answer says that the connection ends')
  if (typeof body === 'function') body(response.body, response)
  else if (typeof body === 'string') t.equal(response.body, body, 'the whole body arrives')
  else if (body !== undefined) t.match(response.body, body, 'the whole body arrives')
}

function leaveBy (client: RawClient, way: 'fin' | 'reset' | 'never' | undefined): void {
  if (way === 'fin') client.fin()
  if (way === 'reset') client.reset()
}
