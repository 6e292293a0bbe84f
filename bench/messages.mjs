// Who is measured with messages that have schemas: each takes one of two messages, checks it, and answers with one, as its users
// would write it. The control is that by hand on fastify-wss, in the form of what is measured, a listener or a loop: the same
// schemas, validated by what Fastify made of them.

import { on, once } from 'node:events'

const host = '127.0.0.1'

const receive = {
  anyOf: [
    message('say', { room: { type: 'string', maxLength: 50 }, text: { type: 'string', maxLength: 500 }, at: { type: 'integer' } }),
    message('leave', { room: { type: 'string', maxLength: 50 } })
  ]
}
const send = message('said', { room: { type: 'string' }, text: { type: 'string' }, at: { type: 'integer' } })

const said = { room: 'kitchen', text: 'x'.repeat(140), at: 1767225600000 }

/** 200 bytes. */
export const SAY = JSON.stringify({ type: 'say', ...said })

export const messageContestants = {
  byHand: {
    title: 'by hand on fastify-wss',
    package: 'fastify-wss',
    start: () => startByHand((socket, answer) => { socket.on('message', answer) })
  },

  byHandLoop: {
    title: 'by hand, a loop',
    package: 'fastify-wss',
    isLoop: true,
    start: () => startByHand(async (socket, answer) => {
      for await (const [data, isBinary] of on(socket, 'message')) answer(data, isBinary)
    })
  },

  messages: {
    title: 'messages(), a loop',
    package: 'fastify-wss',
    isLoop: true,
    start: () => startMessages({}, async socket => {
      for await (const message of socket.messages()) await socket.sendMessage(answerTo(message))
    })
  },

  onMessage: {
    title: 'onMessage',
    package: 'fastify-wss',
    start: () => startMessages({ onMessage: (message, socket) => socket.sendMessage(answerTo(message)) }, () => {})
  },

  // Those from here on are measured where their packages are installed.
  elysia: {
    title: 'Elysia on Node',
    package: '@elysiajs/node',
    async start () {
      const { Elysia, t } = await import('elysia')
      const { node } = await import('@elysiajs/node')
      const app = new Elysia({ adapter: node() }).ws('/', {
        parse: [], // without it a message of text stays text on Node
        body: t.Union([
          t.Object({ type: t.Literal('say'), room: t.String({ maxLength: 50 }), text: t.String({ maxLength: 500 }), at: t.Integer() }),
          t.Object({ type: t.Literal('leave'), room: t.String({ maxLength: 50 }) })
        ]),
        response: t.Object({ type: t.Literal('said'), room: t.String(), text: t.String(), at: t.Integer() }),
        message (socket, message) { socket.send(answerTo(message)) }
      })
      const { node: { server: httpServer } } = await new Promise(resolve => { app.listen({ port: 0, hostname: host }, resolve) })
      await once(httpServer, 'listening')
      return { httpServer }
    }
  },

  // Each message is in an envelope of Nest's own, and a pipe validates a class.
  nest: {
    title: "Nest's ws pipes",
    package: '@nestjs/websockets',
    text: JSON.stringify({ event: 'say', data: said }),
    async start () {
      await import('reflect-metadata')
      const [{ NestFactory }, { Module, ValidationPipe }, { WsAdapter }, { MessageBody, SubscribeMessage, WebSocketGateway }, { IsInt, IsString, MaxLength }] = await Promise.all([
        import('@nestjs/core'), import('@nestjs/common'), import('@nestjs/platform-ws'), import('@nestjs/websockets'), import('class-validator')
      ])
      class Say {}
      for (const rule of [IsString(), MaxLength(50)]) rule(Say.prototype, 'room')
      for (const rule of [IsString(), MaxLength(500)]) rule(Say.prototype, 'text')
      IsInt()(Say.prototype, 'at')
      class Gateway {
        say (message) { return { event: 'said', data: answerTo(message) } }
      }
      WebSocketGateway({ path: '/' })(Gateway)
      SubscribeMessage('say')(Gateway.prototype, 'say', Object.getOwnPropertyDescriptor(Gateway.prototype, 'say'))
      MessageBody(new ValidationPipe({ expectedType: Say, whitelist: true }))(Gateway.prototype, 'say', 0)
      class Application {}
      Module({ providers: [Gateway] })(Application)
      const app = await NestFactory.create(Application, { logger: false })
      app.useWebSocketAdapter(new WsAdapter(app))
      await app.listen(0, host)
      return { httpServer: app.getHttpServer() }
    }
  }
}

function message (type, properties) {
  return {
    type: 'object',
    properties: { type: { type: 'string', const: type }, ...properties },
    required: ['type', ...Object.keys(properties)],
    additionalProperties: false
  }
}

function answerTo ({ room, text, at }) {
  return { type: 'said', room, text, at }
}

async function startByHand (converse) {
  const { default: build } = await import('fast-json-stringify')
  const stringify = build(send)
  return await startFastify(app => {
    app.get('/', { websocket: true }, (socket, request) => {
      const validate = request.compileValidationSchema(receive)
      return converse(socket, (data, isBinary) => {
        if (isBinary) return socket.close(1003)
        let message
        try {
          message = JSON.parse(data)
        } catch {
          return socket.close(1007)
        }
        if (!validate(message)) return socket.close(1008, validate.errors[0].message)
        socket.send(stringify(answerTo(message)))
      })
    })
  })
}

function startMessages (options, handler) {
  return startFastify(async app => {
    const { default: messages } = await import('fastify-wss/messages')
    await app.register(messages)
    app.get('/', { websocket: true, schema: { messages: { receive, send } }, ...options }, handler)
  })
}

async function startFastify (declare) {
  const { default: fastify } = await import('fastify')
  const { default: websocket } = await import('fastify-wss')
  const app = fastify()
  await app.register(websocket)
  await declare(app)
  await app.listen({ port: 0, host })
  return { httpServer: app.server, app }
}
