// What the sockets of an application get: messages(), sendMessage(), request(), reply().

import type { WebSocket, WebSocketServer } from 'ws'
import type { ReadOptions, RequestOptions } from '../../types/messages'
import { check, checkKeys, DELAY } from '../check'
import type { Rule } from '../check'
import { FST_WS_MESSAGES_NO_REPLY, FST_WS_MESSAGES_NOT_DECLARED } from '../errors'
import { extendSockets } from '../socket-class'
import type { SocketClass } from '../socket-class'
import { handled } from '../thenable'
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
        return fail(this, error)
      }
    }

    request (message: unknown, options: RequestOptions = {}): Promise<unknown> {
      try {
        const channel = channelFor(this)
        const exchange = exchangeFor(channel, options)
        const reply = exchange.ask(async id => { await channel.send(seal(channel.format, message, 'requestId', id)) }, options)
        reply.catch(error => { channel.tell(error) })
        return reply
      } catch (error) {
        return fail(this, error)
      }
    }

    reply (to: unknown, message: unknown): Promise<void> {
      try {
        const channel = channelFor(this)
        const id = channel.exchange?.takeId(to)
        if (id === undefined) throw new FST_WS_MESSAGES_NO_REPLY('the client did not ask for it, or has it')
        return channel.send(seal(channel.format, message, 'replyTo', id))
      } catch (error) {
        return fail(this, error)
      }
    }
  }
}

function channelFor (socket: WebSocket): Channel {
  const channel = channelOf(socket)
  if (channel === undefined) throw new FST_WS_MESSAGES_NOT_DECLARED()
  return channel
}

function exchangeFor ({ exchange, isRead }: Channel, options: RequestOptions): Exchange {
  checkKeys('options', options, ['timeout', 'signal'])
  check('options.timeout', options.timeout, DELAY)
  check('options.signal', options.signal, SIGNAL)
  if (exchange === undefined) throw new FST_WS_MESSAGES_NO_REPLY('its route does not allow it')
  if (!isRead) throw new FST_WS_MESSAGES_NO_REPLY('nobody reads its messages')
  return exchange
}

function fail (socket: WebSocket, error: unknown): Promise<never> {
  channelOf(socket)?.tell(error)
  return handled(Promise.reject(error))
}
