import t, { type Test } from 'tap'
import { once } from 'node:events'
import * as http from 'node:http'
import * as https from 'node:https'
import type { AddressInfo } from 'node:net'
import { WebSocketServer } from 'ws'
import { certificate } from './certificate'
import { assertServerHoldsNothing, checkLeaksAtEnd } from './leaks'
import { within } from './limit'
import { closeFrame, connectRaw, fragmented, frame, OPCODES, type RawClient, requestHead, upgradeHead } from './raw-client'

checkLeaksAtEnd(t)

// More than the buffers of both ends of a local connection take.
const SIZE = 16 * 1024 * 1024

for (const secure of [false, true]) {
  t.test(secure ? 'over TLS' : 'over TCP', async t => {
    async function connect (t: Test, onRequest: http.RequestListener): Promise<{ client: RawClient, server: http.Server }> {
      const server = secure ? https.createServer(certificate, onRequest) : http.createServer(onRequest)
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      const client = await connectRaw({ port: (server.address() as AddressInfo).port, secure })
      t.teardown(() => {
        client.destroy()
        server.close()
      })
      return { client, server }
    }

    t.test('reads pipelined responses one after the other: by length, in chunks, without a body', async t => {
      const { client } = await connect(t, (request, response) => {
        response.setHeader('set-cookie', ['a=1', 'b=2'])
        if (request.url === '/length') response.setHeader('content-length', 5).end('whole')
        if (request.url === '/empty') response.writeHead(204).end()
        if (request.url === '/chunks') {
          response.setHeader('trailer', 'x-end')
          response.write('in ')
          response.addTrailers({ 'x-end': 'yes' })
          response.end('chunks')
        }
      })
      client.write(requestHead('HEAD', '/length') + requestHead('GET', '/chunks') + requestHead('GET', '/empty') + requestHead('GET', '/length'))

      const head = await client.readResponse({ head: true })
      const responses = [await client.readResponse(), await client.readResponse(), await client.readResponse()]

      t.match(head, { status: 200, body: '', headers: { 'content-length': '5' } })
      t.match(responses, [
        { status: 200, statusText: 'OK', body: 'in chunks', headers: { 'set-cookie': 'a=1, b=2' } },
        { status: 204, body: '' },
        { status: 200, body: 'whole', bytes: Buffer.from('whole') }
      ])
      t.same(responses[2]?.rawHeaders.filter(([name]) => name === 'set-cookie'), [['set-cookie', 'a=1'], ['set-cookie', 'b=2']])
      t.equal(client.leftover.length, 0)
    })

    t.test('reads interim responses, and a body that ends with the connection', async t => {
      const { client } = await connect(t, (request, response) => {
        response.shouldKeepAlive = false
        response.useChunkedEncodingByDefault = false
        response.removeHeader('transfer-encoding')
        response.writeEarlyHints({ link: '</x>; rel=preload' })
        request.pipe(response)
      })
      client.request('POST', '/', { 'Content-Length': '5', Host: undefined, host: 'x' }, 'hello')

      t.equal((await client.readResponse()).status, 103)
      t.equal((await client.readResponse()).body, 'hello')
      t.equal(client.ended, true)
    })

    t.test('fails when a response does not come in time, and keeps what has come for the next read', async t => {
      const { client, server } = await connect(t, (request, response) => {
        response.setHeader('content-length', 5)
        response.write('in ')
        server.once('go on', () => response.end('2x'))
      })
      client.request('GET', '/')

      await t.rejects(client.readResponse({ limit: 100 }), { message: /^5 bytes did not come in time; \d+ unread bytes: "HTTP\/1.1 200 OK/ })
      server.emit('go on')
      t.match(await client.readResponse(), { status: 200, body: 'in 2x' })
    })

    t.test('fails when the connection ends before a response is complete', async t => {
      const { client } = await connect(t, ({ socket }) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf'))
      client.request('GET', '/')

      await t.rejects(client.readResponse(), { message: /^the connection ended before 10 bytes had come; .*half"$/ })
      t.match((await client.readUntilClose()).toString(), /half$/)
    })

    t.test('upgrades, and sends and reads frames of every length', async t => {
      const { client, server } = await connect(t, () => {})
      const websocketServer = new WebSocketServer({ server })
      websocketServer.on('connection', socket => socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })))
      t.equal((await client.upgrade('/').readResponse()).status, 101)

      for (const length of [0, 125, 126, 65_535, 65_536]) {
        client.write(frame('binary', Buffer.alloc(length, 'x')))
        t.match(await client.readFrame(), { fin: true, rsv: 0, opcode: OPCODES.binary, masked: false, payload: Buffer.alloc(length, 'x') })
      }
      client.write(fragmented('text', ['in ', 'three ', 'parts']))
      t.match(await client.readFrame(), { opcode: OPCODES.text, payload: Buffer.from('in three parts') })
      client.write(frame('ping', 'p'))
      t.match(await client.readFrame(), { opcode: OPCODES.pong, payload: Buffer.from('p') })
      client.write(closeFrame(1000, 'bye'))
      t.match(await client.readFrame(), { opcode: OPCODES.close, payload: Buffer.from('\x03\xe8bye', 'latin1') })
      t.equal((await client.readUntilClose()).length, 0)
    })

    for (const [name, bytes, code] of [
      ['no mask', frame('text', 'x', { mask: false }), 1002],
      ['a reserved bit', frame('text', 'x', { rsv: 4 }), 1002],
      ['an unknown opcode', frame(3, 'x'), 1002],
      ['a long ping', frame('ping', Buffer.alloc(126)), 1002],
      ['a length that is too large', frame('text', '', { length: 2 ** 40 }), 1009]
    ] as const) {
      t.test(`breaks the protocol with ${name}`, async t => {
        const { client, server } = await connect(t, () => {})
        new WebSocketServer({ server }).on('connection', socket => socket.on('error', () => {}))
        client.write(upgradeHead('/'))
        await client.readResponse()

        client.write(bytes)

        const { opcode, payload } = await client.readFrame()
        t.match([opcode, payload.readUInt16BE()], [OPCODES.close, code])
      })
    }

    t.test('goes on reading after its FIN', async t => {
      const { client, server } = await connect(t, (request, response) => response.end(Buffer.alloc(SIZE)))
      client.pause().request('GET', '/')
      await once(server, 'request')
      client.fin()

      t.equal((await client.resume().readResponse()).bytes.length, SIZE)
      t.equal(await within(client.closed, 'the close'), undefined)
      await assertServerHoldsNothing(t, server)
    })

    t.test('cuts the connection with a RST that the server sees', async t => {
      const { client, server } = await connect(t, () => {})
      client.request('GET', '/')
      const [request] = await once(server, 'request')
      const failed = once(request, 'error')
      const socketFailed = new Promise(resolve => request.socket.once('error', resolve))

      client.reset()

      t.match(await within(Promise.race([failed, socketFailed]), 'the error'), Object)
      await client.closed
      await assertServerHoldsNothing(t, server)
    })

    t.test('holds the server back while it is paused', async t => {
      const { client, server } = await connect(t, (request, response) => response.end(Buffer.alloc(SIZE)))
      client.pause().request('GET', '/')
      const [, response] = await once(server, 'request')

      await t.rejects(client.readResponse({ limit: 50 }), { message: /; 0 unread bytes/ })
      t.equal(response.writableFinished, false)

      t.equal((await client.resume().readResponse()).bytes.length, SIZE)
    })
  })
}
