// The process with the clients: they do no more than take what arrives.
import { connect } from 'node:net'

// A client of socket.io joins the namespace by the text message 40.
const JOIN = Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x34, 0x30])

process.on('message', ({ port, count, deflate, name }) => {
  const isSocketIo = name === 'socket.io'
  const path = isSocketIo ? '/socket.io/?EIO=4&transport=websocket' : '/'
  const extensions = deflate ? 'Sec-WebSocket-Extensions: permessage-deflate\r\n' : ''
  let open = 0
  for (let i = 0; i < count; i++) {
    const socket = connect(port, '127.0.0.1')
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${extensions}\r\n`)
    socket.once('data', () => {
      if (isSocketIo) socket.write(JOIN)
      if (++open === count) process.send('open')
    })
    socket.on('error', () => {})
    socket.resume()
  }
})
