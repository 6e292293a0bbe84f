// A chat room: one page, one websocket route. server.mjs starts it.
//
// Every message is JSON text with a type.
//   from a client:  join { name }, say { text }
//   to a client:    welcome, joined, left { name, people }, said { name, text, at }, error { text }
import { readFile } from 'node:fs/promises'
import Fastify from 'fastify'
import websocket from 'fastify-wss'

const LONGEST_NAME = 24          // characters
const LONGEST_TEXT = 500
const LARGEST_MESSAGE = 4 * 1024 // bytes; the connection that sends more is closed with 1009
const VISIBLE = /[\p{L}\p{N}\p{P}\p{S}]/u

export async function build (options) {
  const app = Fastify(options)
  const page = await readFile(new URL('index.html', import.meta.url))
  const people = new Map() // who is in: socket -> name

  await app.register(websocket, { options: { maxPayload: LARGEST_MESSAGE } })

  app.get('/', async (request, reply) => {
    reply.type('text/html; charset=utf-8')
    return page
  })

  app.get('/chat', { websocket: true }, socket => {
    socket.on('message', (data, isBinary) => {
      if (isBinary) return socket.close(1003, 'Text only')

      const message = parse(data)
      if (message?.type === 'join') return join(socket, message.name)
      if (message?.type === 'say') return say(socket, message.text)
      fail(socket, 'That is not a message this chat knows.')
    })

    socket.on('close', () => leave(socket))
  })

  function join (socket, wanted) {
    const asked = clean(wanted, LONGEST_NAME)
    if (people.has(socket)) return fail(socket, `You are in already, as ${people.get(socket)}.`)
    if (!asked) return fail(socket, `A name has 1 to ${LONGEST_NAME} characters.`)

    const name = unused(asked, names())
    tellEveryone({ type: 'joined', name, people: [...names(), name] })
    people.set(socket, name)
    tell(socket, { type: 'welcome', name, people: names() })
  }

  function say (socket, words) {
    const text = clean(words, LONGEST_TEXT)
    if (!people.has(socket)) return fail(socket, 'Say who you are first.')
    if (!text) return fail(socket, `A message has 1 to ${LONGEST_TEXT} characters.`)

    tellEveryone({ type: 'said', name: people.get(socket), text, at: Date.now() })
  }

  function leave (socket) {
    const name = people.get(socket)
    if (people.delete(socket)) tellEveryone({ type: 'left', name, people: names() })
  }

  function tellEveryone (message) {
    for (const socket of people.keys()) tell(socket, message)
  }

  function names () {
    return [...people.values()]
  }

  return app
}

function tell (socket, message) {
  socket.send(JSON.stringify(message))
}

function fail (socket, text) {
  tell(socket, { type: 'error', text })
}

function parse (data) {
  try {
    return JSON.parse(data)
  } catch {
    return null
  }
}

function clean (value, longest) {
  if (typeof value !== 'string') return null
  const text = value.normalize().replace(/\s+/g, ' ').trim()
  return text.length <= longest && VISIBLE.test(text) ? text : null
}

// Two people may want the same name, and one who lost the connection comes back
// before the old one is known to be gone: nobody is turned away, the second is 'Ada 2'.
function unused (wanted, names) {
  const taken = new Set(names.map(name => name.toLowerCase()))
  let name = wanted
  for (let n = 2; taken.has(name.toLowerCase()); n++) name = `${wanted} ${n}`
  return name
}
