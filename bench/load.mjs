// The process that loads: clients that are no more than a socket and a few bytes, so that the server is what works.

import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { connect } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { randomBytes } from 'node:crypto'
import { answerCalls } from './calls.mjs'

const host = '127.0.0.1'
const END_OF_HEAD = '\r\n\r\n'
const STREAMS = 100
const sockets = []
const sessions = []

answerCalls({ open, close, echo, converse, get })

/** Opens so many websocket connections, a few at a time, and keeps them. Some are pinged, and answer. */
async function open ({ port, path, greeting, count, over, isPinged = false }) {
  if (over === 'http2') return await openStreams(port, count)
  await share(count, 32, async () => {
    const socket = await openOne(port, path, greeting, over)
    if (isPinged) answerPings(socket)
    sockets.push(socket)
  })
}

/** So many to a session. */
async function openStreams (port, count) {
  for (let left = count; left > 0; left -= STREAMS) {
    const session = connectHttp2(`https://${host}:${port}`, { rejectUnauthorized: false, settings: { initialWindowSize: 1024 * 1024 } })
    sessions.push(session)
    await once(session, 'remoteSettings')
    await share(Math.min(left, STREAMS), 32, async () => { sockets.push(await openStream(session)) })
  }
}

async function openStream (session) {
  const stream = session.request({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/', 'sec-websocket-version': '13' }, { endStream: false })
  const [{ ':status': status }] = await once(stream, 'response')
  if (status !== 200) throw new Error(`refused: ${status}`)
  return stream
}

async function close () {
  await Promise.all(sockets.splice(0).map(async socket => {
    const closed = once(socket, 'close')
    // Without a reset the port of each of thousands of clients stays taken for a minute. On TLS Node has none.
    if ('resetAndDestroy' in socket && !socket.encrypted) socket.resetAndDestroy()
    else socket.destroy()
    await closed
  }))
  await Promise.all(sessions.splice(0).map(async session => {
    const closed = once(session, 'close')
    session.destroy()
    await closed
  }))
}

/** Sends so many messages over the open connections, one at a time on each, and waits for every echo. */
async function echo ({ size, count }) {
  const frame = maskedFrame(0x2, randomBytes(size))
  await Promise.all(sockets.map(socket => exchange(socket, frame, frames(socket), count / sockets.length)))
}

/** The same with a message of text. */
async function converse ({ text, count }) {
  const frame = maskedFrame(0x1, Buffer.from(text))
  await Promise.all(sockets.map(socket => exchange(socket, frame, frames(socket), count / sockets.length)))
}

/** Sends so many GET requests over so many connections, one at a time on each. */
async function get ({ port, path, connections, count }) {
  const request = Buffer.from(`GET ${path} HTTP/1.1\r\nHost: ${host}:${port}\r\n\r\n`)
  await share(connections, connections, async () => {
    const socket = await connected(port)
    await exchange(socket, request, responses(), count / connections)
    socket.destroy()
  })
}

async function share (count, workers, work) {
  let left = count
  await Promise.all(Array.from({ length: workers }, async () => {
    while (left-- > 0) await work()
  }))
}

async function connected (port, over) {
  const socket = over === 'tls' ? connectTls({ port, host, noDelay: true, rejectUnauthorized: false }) : connect({ port, host, noDelay: true })
  await once(socket, over === 'tls' ? 'secureConnect' : 'connect')
  return socket
}

async function openOne (port, path = '/', greeting, over) {
  const socket = await connected(port, over)
  socket.write([
    `GET ${path} HTTP/1.1`,
    `Host: ${host}:${port}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
    END_OF_HEAD.slice(2)
  ].join('\r\n'))
  const [answer] = await once(socket, 'data')
  if (!answer.toString('latin1').startsWith('HTTP/1.1 101 ')) throw new Error(`refused: ${answer}`)
  if (greeting !== undefined) {
    socket.write(maskedFrame(0x1, Buffer.from(greeting)))
    await once(socket, 'data')
  }
  return socket
}

// A ping without a payload has two bytes, and nothing else comes.
function answerPings (socket) {
  const pong = maskedFrame(0xa, Buffer.alloc(0))
  socket.on('data', pings => {
    for (let i = 0; i < pings.length; i += 2) socket.write(pong)
  })
}

/** `takes` is given each chunk and tells how many answers have come to their end with it. */
function exchange (socket, data, takes, count) {
  return new Promise((resolve, reject) => {
    let left = Math.ceil(count)
    socket.on('data', onData)
    socket.once('close', onClose)
    socket.write(data)

    function onData (chunk) {
      if (takes(chunk) === 0) return
      if (--left > 0) {
        socket.write(data)
        return
      }
      socket.off('data', onData)
      socket.off('close', onClose)
      resolve()
    }

    function onClose () {
      reject(new Error('the server closed a connection under load'))
    }
  })
}

// One message at a time, so an answer is a frame. Some servers ping meanwhile, and leave a client that does not answer. A frame's
// head is short enough to come in one piece, and so is a ping.
function frames (socket) {
  let missing = 0
  return chunk => {
    let answers = 0
    for (let at = 0; at < chunk.length;) {
      if (missing === 0) {
        const { head, size } = readHead(chunk, at)
        if (chunk[at] === 0x89) {
          at += head
          socket.write(maskedFrame(0xa, chunk.subarray(at, at + size)))
          at += size
          continue
        }
        missing = head + size
      }
      const part = Math.min(missing, chunk.length - at)
      at += part
      missing -= part
      if (missing === 0) answers++
    }
    return answers
  }
}

function readHead (chunk, at) {
  const size = chunk[at + 1]
  if (size < 126) return { head: 2, size }
  return size === 126 ? { head: 4, size: chunk.readUInt16BE(at + 2) } : { head: 10, size: Number(chunk.readBigUInt64BE(at + 2)) }
}

// One request at a time and a small answer: it is the whole answer once its head and its body are there.
function responses () {
  let text = ''
  return chunk => {
    text += chunk.toString('latin1')
    const length = /\r\ncontent-length: (\d+)\r\n/i.exec(text)
    if (length === null || text.length < text.indexOf(END_OF_HEAD) + END_OF_HEAD.length + Number(length[1])) return 0
    if (!text.startsWith('HTTP/1.1 200 ')) throw new Error(`not a good answer: ${text}`)
    text = ''
    return 1
  }
}

// RFC 6455 section 5.2. The mask is not zero, or a server might skip the work.
function maskedFrame (opcode, payload) {
  const mask = Buffer.from([0x12, 0x34, 0x56, 0x78])
  const header = Buffer.alloc(headerSize(payload.length))
  header[0] = 0x80 | opcode
  if (header.length === 2) {
    header[1] = 0x80 | payload.length
  } else if (header.length === 4) {
    header[1] = 0x80 | 126
    header.writeUInt16BE(payload.length, 2)
  } else {
    header[1] = 0x80 | 127
    header.writeBigUInt64BE(BigInt(payload.length), 2)
  }
  return Buffer.concat([header, mask, payload.map((byte, i) => byte ^ mask[i % 4])])
}

function headerSize (size) {
  if (size < 126) return 2
  return size < 65536 ? 4 : 10
}
