// Messages by the type providers that people use, and by what an application sets for its schemas: whatever holds for the body of a
// request holds for a message.
import type { FastifyInstance, FastifySchema, FastifySchemaCompiler } from 'fastify'
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod'
import { pack, unpack } from 'msgpackr'
import t, { type Test } from 'tap'
import { z } from 'zod'
import messages from '../../src/messages'
import type { InvalidMessageError, MessageCodec, MessagesOptions } from '../../types/messages'
import { start, type Client, type Declare, type Running, type StartOptions } from '../helpers/app'
import { deferred } from '../helpers/deferred'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { within } from '../helpers/limit'
import { connectBy, transportOf, type Way } from '../helpers/ways'

checkLeaksAtEnd(t)

interface Provider {
  /** By a promise too: some packages are ES modules. */
  setUp: (app: FastifyInstance) => unknown
  schemas: () => Promise<{ receive: unknown, send: unknown }>
  /** What is said of a text that is empty. */
  rule: RegExp
}

const SAY = { type: 'object', properties: { type: { const: 'say' }, text: { type: 'string', minLength: 1 } }, required: ['type', 'text'] }
const LEAVE = { type: 'object', properties: { type: { const: 'leave' } }, required: ['type'] }
const SAID = { type: 'object', properties: { type: { const: 'said' }, text: { type: 'string' } }, required: ['type', 'text'] }
const LEFT = { type: 'object', properties: { type: { const: 'left' } }, required: ['type'] }

const PROVIDERS: Record<string, Provider> = {
  'JSON schemas': {
    setUp () {},
    schemas: async () => ({ receive: { oneOf: [SAY, LEAVE] }, send: { oneOf: [SAID, LEFT] } }),
    rule: /must NOT have fewer than 1 characters/
  },
  'TypeBox by ajv': {
    setUp () {},
    schemas: typeboxSchemas,
    rule: /must NOT have fewer than 1 characters/
  },
  'TypeBox by its own compiler': {
    async setUp (app) { app.setValidatorCompiler((await import('@fastify/type-provider-typebox')).TypeBoxValidatorCompiler) },
    schemas: typeboxSchemas,
    rule: /must not have fewer than 1 characters/
  },
  Zod: {
    setUp (app) { app.setValidatorCompiler(validatorCompiler).setSerializerCompiler(serializerCompiler) },
    schemas: async () => ({
      receive: z.discriminatedUnion('type', [
        z.object({ type: z.literal('say'), text: z.string().min(1) }),
        z.object({ type: z.literal('leave') })
      ]),
      send: z.discriminatedUnion('type', [
        z.object({ type: z.literal('said'), text: z.string() }),
        z.object({ type: z.literal('left') })
      ])
    }),
    rule: /Too small: expected string to have >=1 characters/
  }
}

async function typeboxSchemas (): Promise<{ receive: unknown, send: unknown }> {
  const { Type } = await import('typebox')
  return {
    receive: Type.Union([
      Type.Object({ type: Type.Literal('say'), text: Type.String({ minLength: 1 }) }),
      Type.Object({ type: Type.Literal('leave') })
    ]),
    send: Type.Union([
      Type.Object({ type: Type.Literal('said'), text: Type.String() }),
      Type.Object({ type: Type.Literal('left') })
    ])
  }
}

for (const way of ['tcp', 'h2c'] as const) {
  for (const [name, provider] of Object.entries(PROVIDERS)) {
    t.test(`${name}: what is valid is delivered, and what is sent is what its schema has, over ${way}`, async t => {
      const { socket, inbox } = await openRoom(t, way, provider)
      socket.send('{"type":"say","text":"hello","extra":1}')
      t.equal(String(await inbox.next()), '{"type":"said","text":"hello"}')
      socket.send('{"type":"leave"}')
      t.equal(String(await inbox.next()), '{"type":"left"}')
    })

    t.test(`${name}: a message that is not valid closes with the path and the rule, over ${way}`, async t => {
      const { socket, inbox } = await openRoom(t, way, provider)
      socket.send('{"type":"say","text":""}')
      const { code, reason } = await inbox.closed
      t.equal(code, 1008)
      t.match(reason, /^message\/text /)
      t.match(reason, provider.rule)
    })

    t.test(`${name}: a message of no branch is told of by the property that branches, over ${way}`, async t => {
      const { socket, inbox } = await openRoom(t, way, provider)
      socket.send('{"type":"shout","text":"hello"}')
      const { code, reason } = await inbox.closed
      t.equal(code, 1008)
      t.match(reason, /^message\/type /)
    })
  }
}

t.test('what does not fit the schema of what is sent is not sent', async t => {
  for (const [name, { setUp, schemas }] of Object.entries(PROVIDERS)) {
    const failed = deferred<{ code: string }>()
    const running = await startWith(t, {}, async app => {
      await setUp(app)
      app.get('/', { websocket: true, schema: { messages: await schemas() } }, async socket => {
        await socket.sendMessage({ type: 'shout' }).catch(failed.resolve)
        await socket.sendMessage({ type: 'left' })
      })
    })
    const { inbox } = await running.connect()
    t.equal((await within(failed.promise, 'the rejection')).code, 'FST_WS_MESSAGES_UNSERIALIZABLE', name)
    t.equal(String(await inbox.next()), '{"type":"left"}', name)
  }
})

t.test('Zod', async t => {
  const schema = {
    messages: {
      receive: z.object({ text: z.string().trim().default('nothing'), at: z.iso.datetime().transform(text => new Date(text)) }),
      send: z.object({ day: z.codec(z.string(), z.date(), { decode: text => new Date(text), encode: date => date.toISOString().slice(0, 10) }) })
    }
  }

  await t.test('what it makes of a message is what the application gets', async t => {
    const { client: { socket }, received } = await openReceiver(t, { setUp: PROVIDERS.Zod?.setUp, schema })
    socket.send('{"at":"2030-01-02T03:04:05Z","extra":1}')
    t.strictSame(await received.next(), { text: 'nothing', at: new Date('2030-01-02T03:04:05Z') })
    socket.send('{"text":" hello ","at":"2030-01-02T03:04:05Z"}')
    t.match(await received.next(), { text: 'hello' })
  })

  await t.test('what its codecs make of a value is sent', async t => {
    const running = await startWith(t, {}, app => {
      PROVIDERS.Zod?.setUp(app)
      app.get('/', { websocket: true, schema }, socket => socket.sendMessage({ day: new Date('2030-01-02T03:04:05Z') }))
    })
    const { inbox } = await running.connect()
    t.equal(String(await inbox.next()), '{"day":"2030-01-02"}')
  })

  await t.test('all that is wrong with a message is told', async t => {
    const { client: { socket }, invalid } = await openReceiver(t, { setUp: PROVIDERS.Zod?.setUp, schema })
    socket.send('{"text":1,"at":"tomorrow"}')
    const { message, validation = [] } = await invalid.next()
    t.match(message, /^message\/text /)
    t.same(validation.map(({ instancePath }) => instancePath), ['/text', '/at'])
  })
})

t.test('the options of the application for ajv', async t => {
  const schema = { messages: { receive: { type: 'object', properties: { count: { type: 'integer' }, name: { type: 'string' }, on: { type: 'boolean', default: true } }, additionalProperties: false } } }

  await t.test('by default types are coerced, defaults filled in and what is too much is left out', async t => {
    const { client: { socket }, received } = await openReceiver(t, { schema })
    socket.send('{"count":"5","name":1,"extra":1}')
    t.strictSame(await received.next(), { count: 5, name: '1', on: true })
  })

  await t.test('coerceTypes, useDefaults and removeAdditional off', async t => {
    const customOptions = { coerceTypes: false, useDefaults: false, removeAdditional: false } as const
    const { client: { socket }, received, invalid } = await openReceiver(t, { schema, fastify: { ajv: { customOptions } } })
    socket.send('{"count":"5"}')
    t.equal((await invalid.next()).message, 'message/count must be integer')
    socket.send('{"extra":1}')
    t.equal((await invalid.next()).message, 'message must NOT have additional properties')
    socket.send('{"count":5}')
    t.strictSame(await received.next(), { count: 5 })
  })

  await t.test('allErrors', async t => {
    const { client: { socket }, invalid } = await openReceiver(t, { schema, fastify: { ajv: { customOptions: { allErrors: true } } } })
    socket.send('{"count":"many","on":"perhaps"}')
    const { validation = [] } = await invalid.next()
    t.same(validation.map(({ instancePath }) => instancePath), ['/count', '/on'])
  })

  await t.test('plugins, and the formats that Fastify has', async t => {
    const { client: { socket }, received, invalid } = await openReceiver(t, {
      fastify: { ajv: { plugins: [ajv => ajv.addFormat('room', /^#/)] } },
      schema: { messages: { receive: { type: 'object', properties: { room: { format: 'room', type: 'string' }, mail: { format: 'email', type: 'string' } } } } }
    })
    socket.send('{"room":"kitchen"}')
    t.equal((await invalid.next()).message, 'message/room must match format "room"')
    socket.send('{"mail":"kitchen"}')
    t.equal((await invalid.next()).message, 'message/mail must match format "email"')
    socket.send('{"room":"#kitchen","mail":"cook@example.com"}')
    t.strictSame(await received.next(), { room: '#kitchen', mail: 'cook@example.com' })
  })
})

t.test('shared schemas', async t => {
  await t.test('may be a message, a branch of a union or a part of one, and be added behind the route', async t => {
    const running = await startWith(t, { messages: { invalid: 'reply' } }, app => {
      app.addSchema({ $id: 'common', definitions: { text: { type: 'string', maxLength: 5 } } })
      app.get('/', {
        websocket: true,
        schema: { messages: { receive: { oneOf: [{ $ref: 'say#' }, { $ref: 'leave#' }] }, send: { $ref: 'said#' } } },
        onMessage: (message, socket) => socket.sendMessage({ ...message as object, type: 'said' })
      }, () => {})
      app.addSchema({ ...SAY, $id: 'say', properties: { ...SAY.properties, text: { $ref: 'common#/definitions/text' } } })
      app.addSchema({ ...LEAVE, $id: 'leave' })
      app.addSchema({ ...SAID, $id: 'said' })
    })
    const { socket, inbox } = await running.connect()
    socket.send('{"type":"say","text":"hello","secret":1}')
    t.equal(String(await inbox.next()), '{"type":"said","text":"hello"}')
    socket.send('{"type":"say","text":"hello!"}')
    t.match((await inbox.next()).json(), { error: { message: 'message/text must NOT have more than 5 characters' } })
  })

  await t.test('are those of the scope', async t => {
    const running = await startWith(t, { messages: { invalid: 'reply' } }, app => {
      for (const [prefix, type] of [['/texts', 'string'], ['/numbers', 'number']]) {
        app.register(async scope => {
          scope.addSchema({ $id: 'value', type })
          scope.get(`${prefix}`, { websocket: true, schema: { messages: { receive: { $ref: 'value#' } } }, onMessage: (message, socket) => socket.sendMessage([message]) }, () => {})
        })
      }
    })
    for (const [path, answer] of [['/texts', '["a"]'], ['/numbers', /must be number/]] as const) {
      const { socket, inbox } = await running.connect(path)
      socket.send('"a"')
      t.match(String(await inbox.next()), answer)
    }
  })

  await t.test('one that is missing keeps the application from starting', async t => {
    const starting = startWith(t, {}, app => {
      app.get('/', { websocket: true, schema: { messages: { receive: { $ref: 'nowhere#' } } } }, () => {})
    })
    await t.rejects(starting, { code: 'FST_WS_MESSAGES_INVALID_SCHEMA', message: /receive of \/.*nowhere/ })
  })
})

t.test('compilers', async t => {
  const compileNothing: FastifySchemaCompiler<unknown> = ({ schema }) => value => ({ value: [schema, value] })

  await t.test('are those of the scope, and of the route where it has some', async t => {
    const messages = { receive: { type: 'string' }, send: { type: 'array' } }
    const running = await startWith(t, { messages: { invalid: 'reply' } }, app => {
      app.get('/outside', { websocket: true, schema: { messages }, onMessage: (message, socket) => socket.sendMessage([message]) }, () => {})
      app.register(async scope => {
        scope.setValidatorCompiler(compileNothing)
        scope.setSerializerCompiler(() => value => `inside ${JSON.stringify(value)}`)
        scope.get('/inside', { websocket: true, schema: { messages }, onMessage: (message, socket) => socket.sendMessage(message) }, () => {})
        scope.get('/route', {
          websocket: true,
          schema: { messages },
          validatorCompiler: () => value => value === '1' ? true : { error: new Error('is no one') },
          serializerCompiler: () => value => `route ${value}`,
          onMessage: (message, socket) => socket.sendMessage(message)
        }, () => {})
      })
    })
    for (const [path, answer] of [['/outside', '["1"]'], ['/inside', 'inside [{"type":"string"},"1"]'], ['/route', 'route 1']]) {
      const { socket, inbox } = await running.connect(path)
      socket.send('"1"')
      t.equal(String(await inbox.next()), answer)
    }
    const { socket, inbox } = await running.connect('/route')
    socket.send('"2"')
    t.match((await inbox.next()).json(), { error: { message: 'message is no one' } })
  })
})

t.test('MessagePack by msgpackr', async t => {
  const codec: MessageCodec = { binary: true, decode: unpack, encode: pack }
  const schema = { messages: { receive: SAY, send: SAID } }

  await t.test('both ways', async t => {
    const running = await startWith(t, { messages: { codec } }, app => {
      app.get('/', { websocket: true, schema, onMessage: (message, socket) => socket.sendMessage({ got: message, at: new Date(5) }) }, () => {})
    })
    const { socket, inbox } = await running.connect()
    socket.send(pack({ type: 'say', text: 'hello' }))
    const { data, isBinary } = await inbox.next()
    t.equal(isBinary, true)
    t.strictSame(unpack(data), { got: { type: 'say', text: 'hello' }, at: new Date(5) })
  })

  await t.test('text, what is none, and what is not valid', async t => {
    const running = await startWith(t, { messages: { codec } }, app => { app.get('/', { websocket: true, schema, onMessage: () => {} }, () => {}) })
    for (const [data, code, reason] of [
      ['{}', 1003, 'message must be binary'],
      [Buffer.from([0xc4]), 1007, 'message cannot be decoded'],
      [pack({ type: 'say', text: '' }), 1008, 'message/text must NOT have fewer than 1 characters']
    ] as const) {
      const { socket, inbox } = await running.connect()
      socket.send(data)
      t.same(await inbox.closed, { code, reason })
    }
  })

  await t.test('what is wrong is told in it', async t => {
    const running = await startWith(t, { messages: { codec, invalid: 'reply' } }, app => { app.get('/', { websocket: true, schema, onMessage: () => {} }, () => {}) })
    const { socket, inbox } = await running.connect()
    socket.send(pack({}))
    t.same(unpack((await inbox.next()).data), { error: { code: 'FST_WS_MESSAGES_INVALID', message: "message must have required property 'type'" } })
  })
})

/** A room that says again what is said in it. */
async function openRoom (t: Test, way: Way, { setUp, schemas }: Provider): Promise<Client> {
  const running = await startWith(t, { over: transportOf(way) }, async app => {
    await setUp(app)
    app.get('/', { websocket: true, schema: { messages: await schemas() } }, async socket => {
      for await (const message of socket.messages()) {
        const { type, text } = message as { type: string, text: string }
        await socket.sendMessage(type === 'say' ? { type: 'said', text, secret: 1 } : { type: 'left', text })
      }
    })
  })
  return await connectBy(t, way, running)
}

interface Taken<Value> { next: () => Promise<Value> }

/** A client, and what the application gets of it. */
async function openReceiver (t: Test, { schema, setUp = () => {}, ...options }: StartOptions & { schema: FastifySchema, setUp?: Provider['setUp'] | undefined }): Promise<{ client: Client, received: Taken<unknown>, invalid: Taken<InvalidMessageError> }> {
  const received = queue<unknown>()
  const invalid = queue<InvalidMessageError>()
  const running = await startWith(t, { ...options, messages: { invalid: invalid.push } }, async app => {
    await setUp(app)
    app.get('/', { websocket: true, schema, onMessage: received.push }, () => {})
  })
  return { client: await running.connect(), received, invalid }
}

function queue<Value> (): Taken<Value> & { push: (value: Value) => void } {
  const values: Value[] = []
  const waiting: Array<(value: Value) => void> = []
  return {
    push (value) { (waiting.shift() ?? (value => { values.push(value) }))(value) },
    next: () => within(new Promise<Value>(resolve => { values.length > 0 ? resolve(values.shift() as Value) : waiting.push(resolve) }), 'the next one')
  }
}

async function startWith (t: Test, { messages: options, ...rest }: StartOptions & { messages?: MessagesOptions }, declare: Declare): Promise<Running> {
  return await start(t, rest, async app => {
    await app.register(messages, options ?? {})
    await declare(app)
  })
}
