// What the sockets of an application get: messages(), sendMessage(), request(), reply().

import type { WebSocket, WebSocketServer } from 'ws'
import type { ReadOptions, RequestOptions } from '../../types/messages'
import { check, checkKeys, DELAY } from '../check'
import type { Rule } from '../check'
import { FST_WS_MESSAGES_NO_REPLY, FST_WS_MESSAGES_NOT_DECLARED } from '../errors'
import { extendSockets } from '../socket-class'
import type { SocketClass } from '../socket-class'
import type { Channel } from './channel'
import { seal } from './envelope'
import type { Exchange } from './exchange'
import { MessageIterator } from './iterator'
import { channelOf } from './routes'

const SIGNAL: Rule = { isValid: value => value instanceof AbortSignal, text: 'must be an AbortSignal' }

export function addMessages (websocketServer: WebSocketServer): void {
  extendSockets(websocketServer, extend)
}

function extend (Base: SocketClass): SocketClass {
  return class MessageSocket extends Base {
    messages (options: ReadOptions = {}): AsyncIterableIterator<unknown> {
      checkKeys('options', options, ['signal'])
      check('options.signal', options.signal, SIGNAL)
      return new MessageIterator(channelFor(this), options.signal)
    }

    sendMessage (message: unknown): Promise<void> {
      try {
        const channel = channelFor(this)
        return channel.send(channel.format.encode(message))
      } catch (error) {
        return told(this, Promise.reject(error))
      }
    }

    request (message: unknown, options: RequestOptions = {}): Promise<unknown> {
      return told(this, ask(this, message, options))
    }

    reply (to: unknown, message: unknown): Promise<boolean> {
      return told(this, reply(this, to, message))
    }
  }
}

async function ask (socket: WebSocket, message: unknown, options: RequestOptions): Promise<unknown> {
  const channel = channelFor(socket)
  checkKeys('options', options, ['timeout', 'signal'])
  check('options.timeout', options.timeout, DELAY)
  check('options.signal', options.signal, SIGNAL)
  const exchange = exchangeOf(channel)
  if (!channel.isRead) throw new FST_WS_MESSAGES_NO_REPLY('nobody reads its messages')
  return await exchange.ask(async id => { await channel.send(seal(channel.format, message, 'requestId', id)) }, options)
}

async function reply (socket: WebSocket, to: unknown, message: unknown): Promise<boolean> {
  const channel = channelFor(socket)
  const id = exchangeOf(channel).takeId(to)
  if (id === undefined) return false
  await channel.send(seal(channel.format, message, 'replyTo', id))
  return true
}

function channelFor (socket: WebSocket): Channel {
  const channel = channelOf(socket)
  if (channel === undefined) throw new FST_WS_MESSAGES_NOT_DECLARED()
  return channel
}

function exchangeOf ({ exchange }: Channel): Exchange {
  if (exchange === undefined) throw new FST_WS_MESSAGES_NO_REPLY('the route of this socket does not allow it')
  return exchange
}

/** Nobody has to wait for it. */
function told<Result> (socket: WebSocket, promise: Promise<Result>): Promise<Result> {
  promise.catch(error => { channelOf(socket)?.tell(error) })
  return promise
}
