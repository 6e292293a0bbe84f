import t from 'tap'
import { once } from 'node:events'
import { connect as connectHttp2, createServer as createHttp2Server, type ServerHttp2Stream } from 'node:http2'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import { connect as connectSecure, createServer as createSecureServer } from 'node:tls'
import { bytesReceived, bytesUnsent } from '../src/progress'
import { certificate } from './helpers/certificate'
import { checkLeaksAtEnd } from './helpers/leaks'
import { until } from './helpers/limit'

checkLeaksAtEnd(t)

const MANY = 32 * 1024 * 1024

for (const isSecure of [false, true]) {
  t.test(`tells what moves on a connection${isSecure ? ' of TLS' : ''}`, async t => {
    const server = (isSecure ? createSecureServer(certificate) : createServer()).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const connected = once(server, isSecure ? 'secureConnection' : 'connection')
    const { port } = server.address() as AddressInfo
    const client = isSecure ? connectSecure({ port, host: '127.0.0.1', ca: certificate.cert }) : connect(port, '127.0.0.1')
    const [socket]: Socket[] = await connected
    t.teardown(() => { client.destroy(); socket?.destroy(); server.close() })
    if (socket === undefined) return t.fail('no connection')

    t.equal(bytesReceived(socket), 0)
    client.write('12345')
    socket.resume()
    await until(() => bytesReceived(socket) === 5, 'five bytes')

    t.equal(bytesUnsent(socket), 0)
    socket.write(Buffer.alloc(MANY))
    const unsent = bytesUnsent(socket)
    t.ok(unsent > 0 && (isSecure || unsent <= MANY))
    client.resume()
    await until(() => bytesUnsent(socket) < unsent && bytesUnsent(socket) > 0, 'some progress')
    await until(() => bytesUnsent(socket) === 0, 'the end')
    socket.destroy()
    t.equal(bytesUnsent(socket), 0)
  })
}

t.test('tells what moves on a stream of HTTP/2', async t => {
  const server = createHttp2Server(() => {}).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const streamed = once(server, 'stream')
  const client = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  t.teardown(() => { client.destroy(); server.close() })
  const request = client.request({ ':path': '/' })
  request.on('error', () => {})
  const [stream]: ServerHttp2Stream[] = await streamed
  if (stream === undefined) return t.fail('no stream')

  stream.respond()
  t.equal(bytesUnsent(stream), 0)
  stream.write(Buffer.alloc(MANY))
  await until(() => bytesUnsent(stream) > 0, 'the first bytes')
  const unsent = bytesUnsent(stream)
  request.resume()
  await until(() => bytesUnsent(stream) > unsent, 'some progress')
  await until(() => bytesUnsent(stream) === 0, 'the end')
  request.pause()
  stream.write(Buffer.alloc(MANY))
  stream.session?.destroy()
  t.equal(bytesUnsent(stream), 0)
})

t.test('counts what arrives on a stream that does not, and knows no more', async t => {
  const stream = new PassThrough()
  stream.resume()
  t.equal(bytesReceived(stream), 0)
  stream.write('123')
  stream.write('45')
  await until(() => bytesReceived(stream) === 5, 'five bytes')
  t.equal(stream.listenerCount('data'), 1)
  t.equal(bytesUnsent(stream), 0)
})
