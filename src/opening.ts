// The wait of injectWS for its client: it is open, or nothing of it is left.
// Whatever comes first decides, and the client is ended unless it is that it opened.

import type { InjectWSOption } from 'fastify'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import type { WebSocket } from 'ws'
import { LONGEST_DELAY, clearTimeout, setImmediate, setTimeout } from './clock'
import { FST_WS_INJECT_ABORTED, FST_WS_INJECT_FAILED, FST_WS_INJECT_REFUSED, FST_WS_INJECT_TIMEOUT } from './errors'
import { isThenable } from './thenable'

type Options = Pick<InjectWSOption, 'onInit' | 'onOpen' | 'timeout' | 'signal'>

export function opened (client: WebSocket, { onInit, onOpen, timeout = Infinity, signal }: Options): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    const timer = timeout > LONGEST_DELAY ? undefined : setTimeout(onTimeout, timeout)
    let isSettled = false
    client.on('error', onError)
    client.once('unexpected-response', onRefusal)
    signal?.addEventListener('abort', onAbort)
    run(onInit)
    // After those of onInit, which hear of it first.
    client.once('open', onClientOpen)
    if (signal?.aborted === true) onAbort()

    function run (listener: unknown): void {
      if (typeof listener !== 'function') return
      try {
        const result: unknown = listener(client)
        if (isThenable(result)) result.then(undefined, failLate)
      } catch (error) {
        fail(error)
      }
    }

    // A message that the handler sends at once must find the listener that is added after the await.
    function onClientOpen (): void {
      client.pause()
      run(onOpen)
      setImmediate(succeed)
    }

    function succeed (): void {
      if (isSettled) return
      client.off('error', onError)
      settle()
      resolve(client)
      setImmediate(() => { client.resume() })
    }

    function onRefusal (_request: ClientRequest, response: IncomingMessage): void {
      const { statusCode = 0, headers } = response
      text(response).then(body => { fail(new FST_WS_INJECT_REFUSED({ statusCode, headers, body })) }, onError)
    }

    function onError (cause: Error): void {
      fail(new FST_WS_INJECT_FAILED(cause.message, { cause }))
    }

    function onTimeout (): void {
      fail(new FST_WS_INJECT_TIMEOUT(timeout))
    }

    function onAbort (): void {
      fail(new FST_WS_INJECT_ABORTED({ cause: signal?.reason }))
    }

    // Nobody waits for it any more: it is as loud as any rejection that nobody handles.
    function failLate (error: unknown): void {
      if (isSettled) throw error
      fail(error)
    }

    function fail (error: unknown): void {
      settle()
      reject(error)
      client.terminate()
    }

    function settle (): void {
      isSettled = true
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
    }
  })
}
