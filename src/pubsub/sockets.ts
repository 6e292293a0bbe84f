// What the sockets of an application get: subscribe(), unsubscribe(), topics. And what their hub has to know of what the
// application sends itself: whether a message in fragments is open. A socket that never subscribes has nothing of this on it.

import type { WebSocket } from 'ws'
import type { Subscribed, SubscribeOptions } from '../../types/pubsub'
import { isPlain, markPlain } from '../sent'
import { extendSockets } from '../socket-class'
import type { SocketClass } from '../socket-class'
import { handled } from '../thenable'
import type { Hub } from './hub'
import { markClass, Member, memberOf, setMember } from './member'
import type { Subscriptions } from './subscriptions'

export function addSubscribe (hub: Hub, subscriptions: Subscriptions): void {
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

      override send (...args: unknown[]): void {
        const isFragment = isWithoutEnd(args[1])
        memberOf(this, hub)?.giveWay()
        if (isFragment) join(this).beginFragments()
        Reflect.apply(super.send, this, args)
        if (!isFragment) memberOf(this, hub)?.endFragments()
      }
    }
    // Not in the class: for TypeScript it is a field.
    Object.defineProperty(SubscriberSocket.prototype, 'bufferedAmount', {
      configurable: true,
      get (this: WebSocket) { return Reflect.get(Base.prototype, 'bufferedAmount', this) + (memberOf(this, hub)?.waiting ?? 0) }
    })
    markClass(SubscriberSocket, hub)
    // A class of the application with a send() of its own wants to see every message.
    if (isPlain(Base.prototype.send)) markPlain(SubscriberSocket.prototype.send)
    return SubscriberSocket
  }

  function join (socket: WebSocket): Member {
    return memberOf(socket, hub) ?? createMember(socket)
  }

  function createMember (socket: WebSocket): Member {
    socket.on('close', onClose)
    return setMember(socket, new Member(socket, hub.terms))
  }

  function onClose (this: WebSocket): void {
    subscriptions.leaveAll(join(this))
  }
}

function isWithoutEnd (options: unknown): boolean {
  return typeof options === 'object' && options !== null && 'fin' in options && options.fin === false
}
