// A chat room: one page, one websocket route. server.mjs starts it.
//
// Every message is JSON text with a type.
//   from a client:  join { name, after }, say { text }
//   to a client:    welcome, joined, left { name, people }, said { name, text, at, id }, error { text }
//
// What is said goes by pub/sub, with a history: whoever comes back gives the id of the last message that it has as `after`,
// and gets what it has missed. With an engine such as Redis the chat runs on several nodes; they tell one another who is in.
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import Fastify from 'fastify'
import websocket from 'fastify-wss'
import pubsub, { memory } from 'fastify-wss/pubsub'

const LONGEST_NAME = 24          // characters
const LONGEST_TEXT = 500
const LARGEST_MESSAGE = 4 * 1024 // bytes; the connection that sends more is closed with 1009
const ANNOUNCE = 10_000          // milliseconds between two announcements of a node
const VISIBLE = /[\p{L}\p{N}\p{P}\p{S}]/u

export const HISTORY = { maxLength: 50 }

export async function build ({ createEngine = () => memory({ history: HISTORY }), ...options } = {}) {
  const app = Fastify(options)
  const page = await readFile(new URL('index.html', import.meta.url))
  const people = new Map() // who is in here: socket -> name
  const nodes = new Map()  // who is in elsewhere: node -> { names, at }
  const node = randomUUID()

  await app.register(websocket, { options: { maxPayload: LARGEST_MESSAGE } })
  await app.register(pubsub, {
    engine: createEngine(app),
    serialize: (message, { id }) => JSON.stringify({ ...message, id })
  })

  app.pubsub.on('nodes', hear)
  const timer = setInterval(announce, ANNOUNCE)
  app.addHook('onReady', async () => { publish('nodes', { node, isNew: true }) })
  app.addHook('onClose', async () => { clearInterval(timer) })

  app.get('/', async (request, reply) => {
    reply.type('text/html; charset=utf-8')
    return page
  })

  app.get('/chat', { websocket: true }, socket => {
    socket.on('message', (data, isBinary) => {
      if (isBinary) return socket.close(1003, 'Text only')

      const message = parse(data)
      if (message?.type === 'join') return join(socket, message)
      if (message?.type === 'say') return say(socket, message.text)
      fail(socket, 'That is not a message this chat knows.')
    })

    socket.on('close', () => leave(socket))
  })

  async function join (socket, { name: wanted, after }) {
    const asked = clean(wanted, LONGEST_NAME)
    if (people.has(socket)) return fail(socket, `You are in already, as ${people.get(socket)}.`)
    if (!asked) return fail(socket, `A name has 1 to ${LONGEST_NAME} characters.`)

    const name = unused(asked, names())
    tellEveryone({ type: 'joined', name, people: [...names(), name] })
    people.set(socket, name)
    tell(socket, { type: 'welcome', name, people: names() })
    announce({ type: 'joined', name })
    // An id that is too old, or none at all, is no reason not to take part.
    await socket.subscribe('said', { after }).catch(() => socket.subscribe('said')).catch(() => socket.close(1013))
  }

  function say (socket, words) {
    const text = clean(words, LONGEST_TEXT)
    if (!people.has(socket)) return fail(socket, 'Say who you are first.')
    if (!text) return fail(socket, `A message has 1 to ${LONGEST_TEXT} characters.`)

    app.pubsub.publish('said', { type: 'said', name: people.get(socket), text, at: Date.now() })
      .catch(() => fail(socket, 'That was not sent. Try again in a moment.'))
  }

  function leave (socket) {
    const name = people.get(socket)
    if (!people.delete(socket)) return
    tellEveryone({ type: 'left', name, people: names() })
    announce({ type: 'left', name })
  }

  // To the other nodes: who is in here, and what has just happened.
  function announce (news) {
    publish('nodes', { node, names: [...people.values()], news })
    for (const [other, { at }] of nodes) if (at < Date.now() - 3 * ANNOUNCE) nodes.delete(other)
  }

  function hear (message) {
    if (message.node === node) return
    if (message.isNew) return announce()
    nodes.set(message.node, { names: message.names, at: Date.now() })
    if (message.news) tellEveryone({ ...message.news, people: names() })
  }

  // A node that is cut off from the others goes on alone.
  function publish (topic, message) {
    app.pubsub.publish(topic, message).catch(() => {})
  }

  function tellEveryone (message) {
    for (const socket of people.keys()) tell(socket, message)
  }

  function names () {
    return [...[...nodes.values()].flatMap(({ names }) => names), ...people.values()]
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
