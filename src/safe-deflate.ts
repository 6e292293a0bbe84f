// perMessageDeflate: 'safe', compression in bounded memory: windows of 1 KiB both ways, nothing kept from one message to the
// next, and small messages not compressed at all, so that a connection which only has such costs nothing.
// ws would answer 400 to a client that offers compression but not these windows: such a client goes without.

import type { IncomingMessage } from 'node:http'
import type { PerMessageDeflateOptions } from 'ws'

const WINDOW_BITS = 10
const CHUNK_SIZE = 4096

/** Known by its identity. */
export const SAFE_DEFLATE: Readonly<PerMessageDeflateOptions> = Object.freeze({
  serverMaxWindowBits: WINDOW_BITS,
  clientMaxWindowBits: WINDOW_BITS,
  serverNoContextTakeover: true,
  clientNoContextTakeover: true,
  threshold: 1024,
  // As many as Node has threads for it. The limit is the process's: the first compression in it decides.
  concurrencyLimit: 4,
  // Memory grows with 2 ** (memLevel + 9).
  zlibDeflateOptions: { memLevel: 4, chunkSize: CHUNK_SIZE },
  zlibInflateOptions: { chunkSize: CHUNK_SIZE }
})

/** Whether one of the client's offers allows for the windows (RFC 7692 section 7.1.2). */
export function offersSafeDeflate ({ headers }: IncomingMessage): boolean {
  return String(headers['sec-websocket-extensions']).split(',').some(isSafeOffer)
}

function isSafeOffer (offer: string): boolean {
  const [name, ...parameters] = offer.replaceAll(/[\s"]/g, '').split(';')
  const bits = new Map(parameters.map(parameter => {
    const [key = '', value = 15] = parameter.split('=')
    return [key, Number(value)]
  }))
  return name === 'permessage-deflate' && Number(bits.get('client_max_window_bits')) >= WINDOW_BITS &&
    (bits.get('server_max_window_bits') ?? 15) >= WINDOW_BITS
}
