// What the programs share: an application that listens, and a client that tells how an upgrade was answered.

import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { WebSocket } from 'ws'

/** The host, with its port, that the application listens on from now on. */
export async function listen (app, port = 0) {
  await app.listen({ port, host: '127.0.0.1' })
  return `127.0.0.1:${app.server.address().port}`
}

/** The answer to an upgrade: status and headers, and the open socket or the body of the refusal. */
export function upgrade (url, { protocols = [], headers } = {}) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, protocols, { headers })
    const answer = {}
    socket.on('upgrade', response => { Object.assign(answer, { status: 101, headers: response.headers, socket }) })
    socket.on('open', () => resolve(answer))
    socket.on('unexpected-response', (request, response) => {
      text(response).then(body => resolve({ status: response.statusCode, headers: response.headers, body }), reject)
    })
    socket.on('error', reject)
  })
}

/** The same over memory. */
export async function inject (app, path, { headers } = {}) {
  const answer = {}
  try {
    const socket = await app.injectWS(path, { headers }, { onInit })
    return { ...answer, socket }
  } catch ({ statusCode, headers, body }) {
    return { status: statusCode, headers, body }
  }

  function onInit (socket) {
    socket.on('upgrade', response => { Object.assign(answer, { status: 101, headers: response.headers }) })
  }
}

/** What comes back for a message. */
export async function ask (socket, message) {
  socket.send(message)
  const [answer] = await once(socket, 'message')
  return String(answer)
}

/** How a socket was closed: its code and reason. */
export async function closed (socket) {
  const [code, reason] = await once(socket, 'close')
  return `${code} ${reason}`.trim()
}
