// An application with pub/sub on an engine that a test chooses, or whose faults it decides, and a client.
import type { Test } from 'tap'
import type { PubSubOptions } from '../../types/pubsub'
import type { Running } from './app'
import { Bus, type BusEngine } from './bus'
import { connectPair, startPubSub, type Pair } from './pubsub'

export async function pairOn (t: Test, pubsub: PubSubOptions): Promise<Pair & { running: Running }> {
  const running = await startPubSub(t, { pubsub })
  return { ...await connectPair(t, running), running }
}

export async function onBus (t: Test, options: { history?: boolean, pubsub?: PubSubOptions } = {}): Promise<Pair & { running: Running, engine: BusEngine, bus: Bus }> {
  const bus = new Bus()
  const engine = bus.engine({ history: options.history })
  return { ...await pairOn(t, { engine, ...options.pubsub }), engine, bus }
}
