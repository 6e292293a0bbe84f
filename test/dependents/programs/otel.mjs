// Traces of an application: @fastify/otel.

import FastifyOtel from '@fastify/otel'
import websocket from '@fastify/websocket'
import { context, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import Fastify from 'fastify'
import { ask, listen, upgrade } from './client.mjs'

const exporter = new InMemorySpanExporter()
const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
const otel = new FastifyOtel()
otel.setTracerProvider(provider)

const registrations = {
  otel: app => app.register(otel.plugin()),
  websocket: app => app.register(websocket)
}

for (const order of [['otel', 'websocket'], ['websocket', 'otel']]) {
  const app = Fastify()
  for (const name of order) await registrations[name](app)
  app.addHook('preValidation', async (request, reply) => {
    if (request.query.user === undefined) await reply.code(401).send('who are you?')
  })
  app.get('/echo', { websocket: true }, (socket, request) => {
    const { traceId } = trace.getActiveSpan().spanContext()
    const isTraced = request.opentelemetry().span.spanContext().traceId === traceId
    socket.on('message', data => socket.send(`${data}, traced: ${isTraced}`))
  })
  app.get('/plain', async () => 'plain')
  const host = await listen(app)
  console.log(`${order.join(' before ')}:`)

  const { socket } = await upgrade(`ws://${host}/echo?user=ada`)
  console.log(await ask(socket, 'hello'))
  printSpans()
  const { status, body } = await upgrade(`ws://${host}/echo`)
  console.log(status, body)
  printSpans()
  const response = await fetch(`http://${host}/plain?user=ada`)
  console.log(response.status, await response.text())
  printSpans()
  await app.close()
}

function printSpans () {
  for (const { name, attributes } of exporter.getFinishedSpans()) {
    const details = [attributes['http.route'], attributes['http.response.status_code']]
    console.log(['span of', name.split(' - ')[0], ...details.filter(Boolean)].join(' '))
  }
  exporter.reset()
}
