// A chat room: one page, one websocket route. server.mjs starts it.
//
// messages.mjs has the schemas of its messages: what a browser sends is checked, and what it is sent is written, by them.
//
// What is said goes by pub/sub, with a history: whoever comes back gives the id of the last message that it has as `after`,
// and gets what it has missed. With an engine such as Redis the chat runs on several nodes; they tell one another who is in.
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import Fastify from 'fastify'
import websocket from 'fastify-wss'
import messages from 'fastify-wss/messages'
import pubsub, { memory } from 'fastify-wss/pubsub'
import { fromBrowsers, LONGEST, said, toBrowsers } from './messages.mjs'

const LARGEST_MESSAGE = 4 * 1024 // bytes; the connection that sends more is closed with 1009
const ANNOUNCE = 10_000          // milliseconds between two announcements of a node
const VISIBLE = /[\p{L}\p{N}\p{P}\p{S}]/u

// What a person is told of a message that is not as it should be, by the part of it that is not.
const WRONG = {
  name: `A name has 1 to ${LONGEST.name} characters.`,
  text: `A message has 1 to ${LONGEST.text} characters.`
}
const UNKNOWN = 'That is not a message this chat knows.'

export const HISTORY = { maxLength: 50 }

export async function build ({ createEngine = () => memory({ history: HISTORY }), ...options } = {}) {
  // A 7 is no name, though as part of an address it would be one.
  const app = Fastify({ ajv: { customOptions: { coerceTypes: false } }, ...options })
  const page = await readFile(new URL('index.html', import.meta.url))
  const people = new Map() // who is in here: socket -> name
  const nodes = new Map()  // who is in elsewhere: node -> { names, at }
  const node = randomUUID()

  await app.register(websocket, { options: { maxPayload: LARGEST_MESSAGE } })
  await app.register(messages)
  const stringify = app.messages.serializer(said)
  await app.register(pubsub, {
    engine: createEngine(app),
    serialize: (message, { id }) => stringify({ ...message, id })
  })

  app.pubsub.on('nodes', hear)
  const timer = setInterval(announce, ANNOUNCE)
  app.addHook('onReady', async () => { publish('nodes', { node, isNew: true }) })
  app.addHook('onClose', async () => { clearInterval(timer) })

  app.get('/', async (request, reply) => {
    reply.type('text/html; charset=utf-8')
    return page
  })

  app.get('/chat', {
    websocket: true,
    schema: { messages: { receive: fromBrowsers, send: toBrowsers } },
    messages: { invalid: refuse },
    onMessage: (message, socket) => message.type === 'join' ? join(socket, message) : say(socket, message)
  }, socket => {
    socket.on('close', () => leave(socket))
  })

  async function join (socket, { name: wanted, after }) {
    // What waited for its turn comes also when its sender has left.
    if (socket.readyState !== socket.OPEN) return
    const asked = clean(wanted)
    if (people.has(socket)) return fail(socket, `You are in already, as ${people.get(socket)}.`)
    if (!asked) return fail(socket, WRONG.name)

    const name = unused(asked, names())
    tellEveryone({ type: 'joined', name, people: [...names(), name] })
    people.set(socket, name)
    socket.sendMessage({ type: 'welcome', name, people: names() })
    announce({ type: 'joined', name })
    // An id that is too old, or none at all, is no reason not to take part.
    await socket.subscribe('said', { after }).catch(() => socket.subscribe('said')).catch(() => socket.close(1013))
  }

  function say (socket, { text: words }) {
    const text = clean(words)
    if (!people.has(socket)) return fail(socket, 'Say who you are first.')
    if (!text) return fail(socket, WRONG.text)

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
    for (const socket of people.keys()) socket.sendMessage(message)
  }

  function names () {
    return [...[...nodes.values()].flatMap(({ names }) => names), ...people.values()]
  }

  return app
}

function fail (socket, text) {
  socket.sendMessage({ type: 'error', text })
}

function refuse ({ closeCode, validation: [first] = [] }, socket) {
  if (closeCode === 1003) return socket.close(closeCode, 'Text only')
  fail(socket, WRONG[first?.instancePath.slice(1) || first?.params.missingProperty] ?? UNKNOWN)
}

function clean (value) {
  const text = value.normalize().replace(/\s+/g, ' ').trim()
  return VISIBLE.test(text) ? text : null
}

// Two people may want the same name, and one who lost the connection comes back
// before the old one is known to be gone: nobody is turned away, the second is 'Ada 2'.
function unused (wanted, names) {
  const taken = new Set(names.map(name => name.toLowerCase()))
  let name = wanted
  for (let n = 2; taken.has(name.toLowerCase()); n++) name = `${wanted} ${n}`
  return name
}
