import type { WebSocket } from 'ws'
import { frame } from '../../helpers/frames'
import type { Client, PluginOptions, Stage, StartOptions } from '../recorder'
import type { Scenario } from '../scenario'

type Handler = (socket: WebSocket) => unknown

/** One websocket route, one client that is connected to it. */
async function connected (stage: Stage, handler: Handler, plugin: PluginOptions = {}, options: StartOptions = {}): Promise<Client> {
  const app = await stage.start(app => {
    app.get('/', { websocket: true }, (socket, request) => {
      stage.watch(socket)
      return handler(socket) as Promise<void>
    })
  }, { plugin, ...options })
  return await stage.connect(app)
}

function recording (stage: Stage): PluginOptions {
  return {
    errorHandler (...args) {
      const [error, socket, request, reply] = args
      stage.record('errorHandler', this, args.length, error, socket, request, reply, request.ws, reply.sent)
      socket.close(4001, 'handled')
    }
  }
}

/** The client sends bytes that no client may send. */
function breaking (name: string, bytes: Buffer, plugin: (stage: Stage) => PluginOptions, rest: Pick<Scenario, 'differs'> & { diff?: string[] } = {}): Scenario {
  return {
    name,
    async run (stage) {
      const app = await stage.start(app => {
        app.get('/', { websocket: true }, socket => { stage.watch(socket) })
      }, { plugin: plugin(stage) })
      const { client, lane } = await stage.upgrade(app)
      client.write(bytes)
      await stage.frames(lane, client)
      await stage.saw('app', 'socket close')
    },
    ...rest
  }
}

const UNMASKED = frame('text', 'bare', { mask: false })
const NOT_UTF8 = frame('text', Buffer.of(0xff, 0xfe))
const TOO_LONG = frame('binary', Buffer.alloc(20))
const RESERVED_OPCODE = frame(3, 'what')

export const errors: Scenario[] = [
  {
    name: 'a handler that throws: logged, and the connection is cut',
    async run (stage) {
      const client = await connected(stage, () => { throw new TypeError('thrown by the handler') })
      await client.closed()
      await stage.saw('app', 'socket close')
    }
  },
  {
    name: 'a handler that rejects: logged, and the connection is cut',
    async run (stage) {
      const client = await connected(stage, async () => { throw new Error('rejected by the handler') })
      await client.closed()
      await stage.saw('app', 'socket close')
    }
  },
  {
    name: 'a handler that throws what is no error',
    async run (stage) {
      const client = await connected(stage, () => { throw 'a string' }) // eslint-disable-line no-throw-literal
      await client.closed()
    }
  },
  {
    name: 'a handler that throws after it sent something',
    async run (stage) {
      const client = await connected(stage, socket => {
        socket.close(4000, 'bye')
        throw new Error('afterwards')
      })
      await client.closed()
    }
  },
  {
    name: 'a handler that rejects later, while messages come',
    async run (stage) {
      const client = await connected(stage, async socket => {
        await new Promise(resolve => { socket.once('message', resolve) })
        throw new Error('after a message')
      })
      client.send('one')
      await client.closed()
    }
  },
  {
    name: 'what a handler returns does not matter',
    async run (stage) {
      const client = await connected(stage, socket => {
        socket.close()
        return { then: 'no function' }
      })
      await client.closed()
    }
  },
  {
    name: 'a handler that returns a thenable which fails',
    oursOnly: true,
    logLevel: 'error',
    differs: ['thenables'],
    async run (stage) {
      const client = await connected(stage, () => ({
        then (resolve: unknown, reject: (error: Error) => void) { reject(new Error('by a thenable')) }
      }))
      await client.closed()
      await stage.saw('app', 'socket close')
    },
    expect: {
      app: ['socket close 1006 ""'],
      'client 1': ['open protocol "" extensions ""', 'close 1006 ""'],
      log: ['error: by a thenable | err Error: by a thenable | { reqId: "req-1" }']
    }
  },
  {
    name: 'errorHandler is told of a handler that throws',
    async run (stage) {
      const client = await connected(stage, () => { throw new Error('thrown') }, recording(stage))
      await client.closed()
    }
  },
  {
    name: 'errorHandler is told of a handler that rejects',
    async run (stage) {
      const client = await connected(stage, async () => { throw new Error('rejected') }, recording(stage))
      await client.closed()
    }
  },
  {
    name: 'errorHandler is told of an error that the socket emits',
    async run (stage) {
      const client = await connected(stage, socket => { setImmediate(() => socket.emit('error', new Error('emitted'))) }, recording(stage))
      await client.closed()
    }
  },
  {
    name: 'errorHandler has the instance of the route as this',
    async run (stage) {
      const app = await stage.start(async app => {
        await app.register(async child => {
          child.decorate('scope', 'child')
          child.get('/', { websocket: true }, () => { throw new Error('in a scope') })
        })
      }, {
        plugin: {
          errorHandler (error, socket) {
            stage.record('errorHandler', this.hasDecorator('scope'), error)
            socket.terminate()
          }
        }
      })
      await (await stage.connect(app)).closed()
    }
  },
  {
    name: 'an async errorHandler that settles',
    async run (stage) {
      const client = await connected(stage, () => { throw new Error('thrown') }, {
        async errorHandler (error, socket) {
          await new Promise(resolve => setImmediate(resolve))
          stage.record('errorHandler', error)
          socket.close(4002)
        }
      })
      await client.closed()
    }
  },
  {
    name: 'errorHandler may leave the connection open',
    async run (stage) {
      const client = await connected(stage, socket => {
        socket.on('message', () => { socket.send('still here') })
        throw new Error('not that bad')
      }, { errorHandler (error) { stage.record('errorHandler', error) } })
      client.send('hello')
      await client.next()
      await client.close(1000)
    }
  },
  {
    name: 'errorHandler is not told of what goes wrong before the 101',
    async run (stage) {
      const app = await stage.start(app => {
        app.get('/', { websocket: true, preHandler: async () => { throw new Error('in a hook') } }, () => {})
      }, { plugin: recording(stage) })
      await (await stage.connect(app)).closed()
    }
  },
  {
    name: 'an error that the socket emits, without an errorHandler, is logged and the connection ends',
    async run (stage) {
      const client = await connected(stage, socket => {
        setImmediate(() => {
          socket.emit('error', new Error('emitted'))
          socket.terminate()
        })
      })
      await client.closed()
    }
  },
  breaking('a frame without a mask', UNMASKED, () => ({})),
  breaking('a text that is not UTF-8', NOT_UTF8, () => ({})),
  breaking('a message that is too long', TOO_LONG, () => ({ options: { maxPayload: 10 } })),
  breaking('a frame with a reserved opcode', RESERVED_OPCODE, () => ({})),
  breaking('a frame without a mask, told to the errorHandler', UNMASKED, recording),
  breaking('a message that is too long, told to an errorHandler that does nothing', TOO_LONG, stage => ({
    errorHandler (error) { stage.record('errorHandler', error) },
    options: { maxPayload: 10 }
  })),
  {
    name: 'a close code that a listener of the application chooses gets through',
    differs: ['close-code-gets-through'],
    diff: [
      'client 1 - close 1006 ""',
      'client 1 + close 4400 "chosen"'
    ],
    async run (stage) {
      const app = await stage.start(app => {
        app.get('/', { websocket: true }, socket => {
          socket.on('error', () => { socket.close(4400, 'chosen') })
          setImmediate(() => { socket.emit('error', new Error('emitted')) })
        })
      })
      await (await stage.connect(app)).closed()
    }
  },
  {
    name: 'an errorHandler that throws: both errors are logged, the connection is cut, the process lives',
    oursOnly: true,
    logLevel: 'error',
    differs: ['error-handler-guarded'],
    async run (stage) {
      const client = await connected(stage, () => { throw new Error('of the handler') }, { errorHandler () { throw new Error('of the errorHandler') } })
      await client.closed()
    },
    expect: {
      app: ['socket close 1006 ""'],
      'client 1': ['open protocol "" extensions ""', 'close 1006 ""'],
      log: [
        'error: of the handler | err Error: of the handler | { reqId: "req-1" }',
        'error: of the errorHandler | err Error: of the errorHandler | { reqId: "req-1" }'
      ]
    }
  },
  {
    name: 'an errorHandler that rejects: both errors are logged, the connection is cut, the process lives',
    oursOnly: true,
    logLevel: 'error',
    differs: ['error-handler-guarded'],
    async run (stage) {
      const client = await connected(stage, async () => { throw new Error('of the handler') }, { async errorHandler () { throw new Error('of the errorHandler') } })
      await client.closed()
    },
    expect: {
      app: ['socket close 1006 ""'],
      'client 1': ['open protocol "" extensions ""', 'close 1006 ""'],
      log: [
        'error: of the handler | err Error: of the handler | { reqId: "req-1" }',
        'error: of the errorHandler | err Error: of the errorHandler | { reqId: "req-1" }'
      ]
    }
  },
  {
    name: 'an errorHandler that throws for an error of the socket: the process lives',
    oursOnly: true,
    logLevel: 'error',
    differs: ['error-handler-guarded'],
    async run (stage) {
      const client = await connected(stage, socket => { setImmediate(() => socket.emit('error', new Error('of the socket'))) }, { errorHandler () { throw new Error('of the errorHandler') } })
      await client.closed()
    },
    expect: {
      app: ['socket close 1006 ""'],
      'client 1': ['open protocol "" extensions ""', 'close 1006 ""'],
      log: [
        'error: of the socket | err Error: of the socket | { reqId: "req-1" }',
        'error: of the errorHandler | err Error: of the errorHandler | { reqId: "req-1" }'
      ]
    }
  },
  {
    name: 'a connection listener that throws is an error after the 101',
    oursOnly: true,
    logLevel: 'error',
    differs: ['handshake-guarded'],
    async run (stage) {
      const app = await stage.start(app => {
        app.websocketServer.on('connection', () => { throw new Error('of the listener') })
        app.get('/', { websocket: true }, () => { stage.record('never') })
      })
      await (await stage.connect(app)).closed()
    },
    expect: {
      'client 1': ['open protocol "" extensions ""', 'close 1006 ""'],
      log: ['error: of the listener | err Error: of the listener | { reqId: "req-1" }']
    }
  },
  {
    name: 'messages that come while an async handler gets ready wait for it',
    oursOnly: true,
    differs: ['early-messages'],
    async run (stage) {
      let proceed = () => {}
      const client = await connectedUnwatched(stage, async socket => {
        socket.send('preparing')
        await new Promise<void>(resolve => { proceed = resolve })
        socket.on('message', (data, isBinary) => { stage.record('message', isBinary ? 'binary' : 'text', String(data)) })
      })
      await client.next()
      client.send('one').send(Buffer.from('two')).send('three')
      await new Promise(resolve => {
        client.socket.once('pong', resolve)
        client.socket.ping()
      })
      proceed()
      await stage.saw('app', 'three')
      await client.close()
    },
    expect: {
      app: ['message "text" "one"', 'message "binary" "two"', 'message "text" "three"'],
      'client 1': ['open protocol "" extensions ""', 'message text "preparing"', 'pong <bytes "">', 'close 1005 ""']
    }
  },
  {
    name: 'messages that come before a handler without a listener are dropped once it has settled',
    async run (stage) {
      const client = await connectedUnwatched(stage, socket => {
        setImmediate(() => { socket.send('ready') })
        socket.on('ping', () => {
          socket.on('message', data => {
            stage.record('message', String(data))
            socket.close()
          })
        })
      })
      await client.next()
      client.send('dropped')
      client.socket.ping()
      client.send('heard')
      await client.closed()
    }
  }
]

async function connectedUnwatched (stage: Stage, handler: Handler): Promise<Client> {
  const app = await stage.start(app => { app.get('/', { websocket: true }, socket => handler(socket) as Promise<void>) })
  return await stage.connect(app)
}
