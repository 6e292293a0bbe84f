// What clients over HTTP/2 do in the soak: one function for each kind of visit, on a session of its own.

import { once } from 'node:events'
import { connect } from 'node:http2'
import { setTimeout as sleep } from 'node:timers/promises'
import { frame, LIMIT } from './client.mjs'

const TEXT = 0x81
const CLOSE = 0x88
const CANCEL = 8

export const http2Visits = {
  'websockets and requests on one session': onSession(async (session, { pick }) => {
    const streams = Array.from({ length: 10 }, () => open(session, pick(['/echo', '/async', '/hook/delays', '/verify/late'])))
    await Promise.all(streams.map(async stream => {
      await expectStatus(stream, 200)
      stream.write(frame(TEXT, 'hello'))
      await expectBytes(stream, 'hello')
      const closed = once(stream, 'close')
      stream.end(frame(CLOSE, [3, 232]))
      await soon(closed, 'the end of a closing handshake')
    }))
    const request = session.request({ ':path': '/plain' }).resume()
    await expectStatus(request, 200)
  }),

  'refusals over HTTP/2': onSession(async (session, { pick }) => {
    const [path, status] = pick([['/hook/replies', 401], ['/hook/throws', 500], ['/nowhere', 404], ['/verify/no', 401], ['/verify/rejects', 500], ['/hook/large', 403]])
    await expectStatus(open(session, path).resume(), status)
  }),

  'streams that are reset as fast as they are opened': onSession(async (session, { pick }) => {
    for (let i = 0; i < 50; i++) open(session, pick(['/echo', '/hook/waits', '/hook/large', '/verify/late'])).close(CANCEL)
    await sleep(pick([0, 10]))
  }),

  'a session that is lost with pending upgrades': onSession(async (session, { pick }) => {
    for (let i = 0; i < 20; i++) open(session, pick(['/hook/waits', '/verify/silent', '/echo', '/async'])).write(frame(TEXT, 'hello'))
    await sleep(pick([0, 10, 50]))
  }),

  'windows that never open': onSession(async (session, { pick }) => {
    for (let i = 0; i < 4; i++) open(session, pick(['/hook/large', '/floods'])).pause()
    await sleep(pick([5, 50, 300]))
  })
}

/** A visit on a session, which is closed or lost afterwards. */
function onSession (visit) {
  return async function visitOnSession (context) {
    if (context.ports.http2 === undefined) return
    const session = connect(`http://127.0.0.1:${context.ports.http2}`)
    session.on('error', () => {})
    const ended = once(session, 'close')
    try {
      await soon(once(session, 'remoteSettings'), 'the settings of a session')
      await visit(session, context)
    } finally {
      session.destroy()
    }
    await soon(ended, 'the end of a session')
  }
}

function open (session, path) {
  const headers = { ':method': 'CONNECT', ':protocol': 'websocket', ':scheme': 'http', ':authority': 'localhost', ':path': path, 'sec-websocket-version': '13' }
  const stream = session.request(headers, { endStream: false })
  stream.on('error', () => {})
  return stream
}

async function expectStatus (stream, expected) {
  const [{ ':status': status }] = await soon(once(stream, 'response'), 'a response')
  if (status !== expected) throw new Error(`status ${status} in place of ${expected}`)
}

async function expectBytes (stream, bytes) {
  const [data] = await soon(once(stream, 'data'), `the bytes ${bytes}`)
  if (!data.includes(bytes)) throw new Error(`no ${bytes} in ${data}`)
}

async function soon (promise, what) {
  let timer
  const late = new Promise((resolve, reject) => {
    timer = setTimeout(() => { reject(new Error(`${what}: not within ${LIMIT} ms`)) }, LIMIT)
  })
  return await Promise.race([promise, late]).finally(() => { clearTimeout(timer) })
}
