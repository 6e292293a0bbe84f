import t from 'tap'
import { EventEmitter } from 'node:events'
import type { WebSocket } from 'ws'
import { emitOf, replaceEmit, standInFront, type Emit } from '../src/emit'
import { checkLeaksAtEnd } from './helpers/leaks'

checkLeaksAtEnd(t)

t.test('what stands in front of emit hears of each event first, and is not seen among the properties of the socket', async t => {
  const socket = new EventEmitter() as WebSocket
  const emit: Emit = socket.emit
  const keys = Object.keys(socket)
  const seen: unknown[] = []
  socket.on('message', (...args) => { seen.push(['listener', ...args]) })

  replaceEmit(socket, function (event, ...args) {
    seen.push([event, ...args])
    return emit.call(this, event, ...args)
  })
  t.equal(socket.emit('message', 1, 2), true)
  replaceEmit(socket, emit)
  socket.emit('message', 3)

  t.same(seen, [['message', 1, 2], ['listener', 1, 2], ['listener', 3]])
  t.same(Object.keys(socket), keys)
})

t.test('one stands in front of all, whoever comes after it', async t => {
  const socket = new EventEmitter() as WebSocket
  const seen: string[] = []
  const own = emitOf(socket)
  replaceEmit(socket, through('before', own))
  standInFront(socket, function (event, ...args) {
    seen.push('front')
    return emitOf(this).call(this, event, ...args)
  })
  replaceEmit(socket, through('after', emitOf(socket)))
  socket.emit('x')
  t.same(seen.splice(0), ['front', 'after', 'before'])

  replaceEmit(socket, own)
  socket.emit('x')
  t.same(seen, ['front'])
  t.same(Object.keys(socket), Object.keys(new EventEmitter()))

  function through (name: string, emit: Emit): Emit {
    return function (event, ...args) {
      seen.push(name)
      return emit.call(this, event, ...args)
    }
  }
})
