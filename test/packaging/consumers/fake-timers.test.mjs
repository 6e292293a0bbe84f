// A suite of vitest that stops the clock, as a user writes it.
import Fastify from 'fastify'
import websocket from 'fastify-wss'
import { readMessages } from 'fastify-wss/testing'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

const FAKED = {
  'by default': undefined,
  'everything that vitest can': { toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate', 'clearImmediate', 'Date', 'performance', 'queueMicrotask'] }
}

describe.each(Object.entries(FAKED))('the clock is stopped: %s', (_how, config) => {
  let app

  beforeEach(async () => {
    app = Fastify()
    await app.register(websocket)
    app.get('/clock', { websocket: true }, socket => {
      const timer = setInterval(() => { socket.send('tick') }, 1000)
      socket.on('message', data => { socket.send(`echo ${data}`) })
      socket.on('close', () => { clearInterval(timer) })
    })
    await app.ready()
    vi.useFakeTimers(config)
  })

  afterEach(async () => {
    vi.useRealTimers()
    await app.close()
  })

  test('opens, echoes, ticks and closes', async () => {
    const socket = await app.injectWS('/clock')
    const inbox = readMessages(socket)
    socket.send('hello')
    expect(String(await inbox.next())).toBe('echo hello')
    vi.advanceTimersByTime(2000)
    expect(String(await inbox.next())).toBe('tick')
    expect(String(await inbox.next())).toBe('tick')
    socket.close(4000, 'enough')
    expect(await inbox.closed).toEqual({ code: 4000, reason: 'enough' })
  })

  test('a refusal is equal to a plain error, and tells more', async () => {
    await expect(app.injectWS('/nowhere')).rejects.toThrow(new Error('Unexpected server response: 404'))
    await expect(app.injectWS('/nowhere')).rejects.toStrictEqual(new Error('Unexpected server response: 404'))
    await expect(app.injectWS('/nowhere')).rejects.toMatchObject({ code: 'FST_WS_INJECT_REFUSED', statusCode: 404 })
  })
})

test('an application that nobody has started', async () => {
  const app = Fastify()
  app.register(websocket)
  app.register(async scope => { scope.get('/', { websocket: true }, socket => { socket.send('hello') }) })
  await app.after()
  vi.useFakeTimers()
  expect(String(await readMessages(await app.injectWS('/')).next())).toBe('hello')
  vi.useRealTimers()
  await app.close()
})
