// What the sockets of an application get: subscribe(), unsubscribe(), topics. And what their hub has to know of what the
// application sends itself: whether a message in fragments is open, and whether something empty is under way, which
// bufferedAmount does not tell. A socket that never subscribes has nothing of this on it.

import { WebSocket } from 'ws'
import type { Subscribed, SubscribeOptions } from '../../types/pubsub'
import { extendSockets } from '../socket-class'
import type { SocketClass } from '../socket-class'
import { handled } from '../thenable'
import type { Hub } from './hub'
import { markClass, Member, memberOf, setMember } from './member'
import type { Terms } from './member'
import type { Subscriptions } from './subscriptions'

type Done = (error?: Error) => void
type Send = (this: WebSocket, data: unknown, options?: object, done?: Done) => void

export function addSubscribe (hub: Hub, subscriptions: Subscriptions): void {
  const terms: Terms = { ...hub.terms, send: undefined }
  extendSockets(hub.terms.websocketServer, extend)

  function extend (Base: SocketClass): SocketClass {
    class SubscriberSocket extends Base {
      subscribe (topic: string, options: SubscribeOptions = {}): Promise<Subscribed> {
        return handled(subscriptions.subscribe(join(this), topic, options))
      }

      unsubscribe (topic: string): void {
        const member = memberOf(this, hub)
        if (member != null) subscriptions.unsubscribe(member, topic)
      }

      get topics (): string[] {
        return (memberOf(this, hub)?.topics ?? []).map(({ name }) => name)
      }

      override close (code?: number, reason?: string | Buffer): void {
        memberOf(this, hub)?.giveWay()
        super.close(code, reason)
      }

      override ping (...args: unknown[]): void {
        memberOf(this, hub)?.giveWay()
        Reflect.apply(super.ping, this, args)
      }

      override pong (...args: unknown[]): void {
        memberOf(this, hub)?.giveWay()
        Reflect.apply(super.pong, this, args)
      }

      override send (data: unknown, options?: object | Done, done?: Done): void {
        const send = super.send as Send
        if (typeof options === 'function') sendNoted(this, send, data, undefined, options as Done)
        else sendNoted(this, send, data, options, done)
      }
    }
    // Not in the class: for TypeScript it is a field.
    Object.defineProperty(SubscriberSocket.prototype, 'bufferedAmount', {
      configurable: true,
      get (this: WebSocket) { return Reflect.get(Base.prototype, 'bufferedAmount', this) + (memberOf(this, hub)?.waiting ?? 0) }
    })
    markClass(SubscriberSocket, hub)
    // A class of the application with a send() of its own wants to see every message.
    if (Base.prototype.send === WebSocket.prototype.send) terms.send = SubscriberSocket.prototype.send
    return SubscriberSocket
  }

  function join (socket: WebSocket): Member {
    return memberOf(socket, hub) ?? createMember(socket)
  }

  function createMember (socket: WebSocket): Member {
    socket.on('close', onClose)
    return setMember(socket, new Member(socket, terms))
  }

  function onClose (this: WebSocket): void {
    subscriptions.leaveAll(join(this))
  }

  function sendNoted (socket: WebSocket, send: Send, data: unknown, options: object | undefined, done: Done | undefined): void {
    memberOf(socket, hub)?.giveWay()
    const isFragment = options !== undefined && options !== null && 'fin' in options && options.fin === false
    if (isFragment) join(socket).beginFragments()
    if (isEmpty(data)) sendEmpty(socket, send, data, options, done)
    else send.call(socket, data, options, done)
    if (!isFragment) memberOf(socket, hub)?.endFragments()
  }

  // ws calls back also where the connection breaks off.
  function sendEmpty (socket: WebSocket, send: Send, data: unknown, options: object | undefined, done: Done | undefined): void {
    const member = join(socket)
    member.emptyUnderWay++
    send.call(socket, data, options, error => {
      member.emptyUnderWay--
      done?.(error)
    })
  }
}

// ws takes what is falsy for empty, but for a number.
function isEmpty (data: unknown): boolean {
  if (typeof data !== 'object' || data === null) return !data && data !== 0
  return ('byteLength' in data && data.byteLength === 0) || ('size' in data && data.size === 0)
}
