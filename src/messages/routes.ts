// A route that declares messages: how they look is made once, of its schemas, when the application starts, or for the first client
// where one comes before. Each of its connections gets a channel before its handler runs, and onMessage its messages behind it.

import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify'
import type { WebSocket } from 'ws'
import type { WebsocketHandler } from '../../types'
import { FST_WS_MESSAGES_NO_WEBSOCKET_ROUTE } from '../errors'
import { wrapHandler } from '../route'
import { isThenable } from '../thenable'
import { Channel } from './channel'
import { compilersOf } from './compilers'
import { Consumer } from './consumer'
import { createFormat } from './format'
import type { Format } from './format'
import { throwUnlessLeft } from './leaving'
import { readDeclaration } from './options'
import type { Declared, Settings } from './options'

const kChannel = Symbol('fastify-wss.messages')

type Carrying = WebSocket & { [kChannel]?: Channel }

export interface Routes {
  /** An onRoute hook. */
  readRoute: (this: FastifyInstance, route: RouteOptions) => void
  /** To be called when the application starts. */
  compile: () => void
}

export function channelOf (socket: WebSocket): Channel | undefined {
  return (socket as Carrying)[kChannel]
}

export function createRoutes (defaults: Settings): Routes {
  const formats: Array<() => Format> = []
  return { readRoute, compile }

  function readRoute (this: FastifyInstance, route: RouteOptions): void {
    const declared = readDeclaration(route, defaults)
    const methods = [route.method].flat()
    // Fastify declares a HEAD route beside each GET route, of the same options.
    if (declared === undefined || methods.every(method => method === 'HEAD')) return
    const formatOf = once(() => createFormatOf(this, route, declared))
    const isWebsocket = wrapHandler(route, handler => wrap(handler, declared, formatOf))
    if (!isWebsocket) throw new FST_WS_MESSAGES_NO_WEBSOCKET_ROUTE(`${methods.join()} ${route.url}`)
    formats.push(formatOf)
  }

  function compile (): void {
    for (const formatOf of formats) formatOf()
  }
}

function createFormatOf (instance: FastifyInstance, route: RouteOptions, { schemas, settings }: Declared): Format {
  const { url } = route
  const compilers = compilersOf(instance, { ...route, method: 'GET' })
  return createFormat(instance, schemas, settings.codec, compilers, url)
}

function wrap (handler: WebsocketHandler, declared: Declared, formatOf: () => Format): WebsocketHandler {
  return function handleWithMessages (socket, request) {
    const channel = new Channel(socket, formatOf(), declared.settings, request)
    const carrying: Carrying = socket
    carrying[kChannel] = channel
    const consumer = consume(this, declared, channel, socket, request)
    const result: unknown = handler.call(this, socket, request)
    if (!isThenable(result)) return consumer?.start()
    return Promise.resolve(result).then(() => { consumer?.start() }, error => { throwUnlessLeft(socket, error) })
  }
}

function consume (instance: FastifyInstance, { onMessage, settings }: Declared, channel: Channel, socket: WebSocket, request: FastifyRequest): Consumer | undefined {
  if (onMessage === undefined) return
  return new Consumer(channel, socket, message => onMessage.call(instance, message, socket, request), settings.concurrency)
}

function once<Value> (make: () => Value): () => Value {
  let made: { value: Value } | undefined
  return () => (made ??= { value: make() }).value
}
