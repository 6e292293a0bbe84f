// Two Yjs documents that meet in a room: y-websocket's server in a route, its provider as the client.

import { setTimeout as wait } from 'node:timers/promises'
import websocket from '@fastify/websocket'
import { docs, setupWSConnection } from '@y/websocket-server/utils'
import Fastify from 'fastify'
import { WebSocket } from 'ws'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { listen } from './client.mjs'

const app = Fastify()
await app.register(websocket)
app.get('/rooms/:room', { websocket: true }, (socket, request) => {
  setupWSConnection(socket, request.raw, { docName: request.params.room })
})
app.get('/private/:room', { websocket: true }, async (socket, request) => {
  // The provider speaks first, and once: what it said must be there after the look-up.
  await findMember()
  setupWSConnection(socket, request.raw, { docName: request.params.room })
})
const host = await listen(app)

for (const path of ['rooms', 'private']) {
  const [ada, bob] = [join(path), join(path)]
  await Promise.all([synced(ada), synced(bob)])

  ada.text.insert(0, 'hello')
  await until(bob.doc, 'update', () => String(bob.text) === 'hello')
  bob.text.insert(5, ' world')
  await until(ada.doc, 'update', () => String(ada.text) === 'hello world')
  console.log(`${path}:`, String(ada.text))

  ada.provider.awareness.setLocalStateField('name', 'ada')
  await until(bob.provider.awareness, 'change', () => bob.provider.awareness.getStates().get(ada.doc.clientID)?.name === 'ada')
  console.log('bob sees ada')

  bob.provider.disconnect()
  ada.text.insert(11, '!')
  bob.text.insert(0, '> ')
  bob.provider.connect()
  await until(bob.doc, 'update', () => String(bob.text) === '> hello world!')
  await until(ada.doc, 'update', () => String(ada.text) === '> hello world!')
  console.log('after an absence:', String(bob.text))

  // Yjs tells the others of nobody that has set nothing.
  bob.provider.awareness.setLocalStateField('name', 'bob')
  await until(ada.provider.awareness, 'change', () => ada.provider.awareness.getStates().has(bob.doc.clientID))
  const gone = until(ada.provider.awareness, 'change', () => !ada.provider.awareness.getStates().has(bob.doc.clientID))
  leave(bob)
  await gone
  console.log('bob left')
  leave(ada)
}

await app.close()
for (const doc of docs.values()) doc.destroy()

function join (path) {
  const doc = new Y.Doc()
  const provider = new WebsocketProvider(`ws://${host}/${path}`, `${path}-1`, doc, {
    WebSocketPolyfill: WebSocket,
    disableBc: true
  })
  return { doc, provider, text: doc.getText('page') }
}

function leave ({ doc, provider }) {
  provider.destroy()
  doc.destroy()
}

function synced ({ provider }) {
  return until(provider, 'sync', () => provider.synced)
}

/** Resolves once the condition holds, which is looked at now and with every such event. */
function until (emitter, event, condition) {
  return new Promise(resolve => {
    function look () {
      if (!condition()) return
      emitter.off(event, look)
      resolve()
    }
    emitter.on(event, look)
    look()
  })
}

// Longer than the provider needs to speak.
async function findMember () {
  await wait(50)
}
