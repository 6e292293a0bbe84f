// What holds of a link to Redis by whichever client.
import t from 'tap'
import { linkTo, type RedisClient } from '../../src/pubsub/redis-link'
import { until } from './limit'
import { skip, startRedis } from './redis'

export function testLink (name: string, create: (port: number) => RedisClient): void {
  t.test(`listens and talks, is told of a loss and comes back, by ${name}`, { skip }, async t => {
    const server = await startRedis(t)
    const seen: string[] = []
    let losses = 0
    const link = linkTo(create(server.port), 1000, {
      ready: () => { seen.push('ready') },
      lost: () => { losses++ },
      message: (channel, message) => { seen.push(`${channel} ${message.toString('latin1')}`) }
    })
    t.teardown(() => { link.close() })
    link.open()
    await until(() => seen.length === 1, 'the connections')
    await link.ping()
    await link.subscribe(['a', 'b'])
    t.equal(await link.command(['PUBLISH', 'a', Buffer.from([0, 255])]), 1)
    await until(() => seen.length === 2, 'the message')
    t.same(seen, ['ready', 'a \0\u00ff'])
    t.same(await link.command(['ECHO', 'x']), Buffer.from('x'))
    await link.unsubscribe('a')
    t.equal(await link.command(['PUBLISH', 'a', 'x']), 0)

    await server.kill()
    await until(() => losses > 0, 'the loss')
    await t.rejects(link.command(['PUBLISH', 'b', 'lost']), { message: /^(?!no answer)/ }, 'at once: nothing is kept to be sent later')
    await server.start()
    await until(() => seen.at(-1) === 'ready' && seen.length > 2, 'the connections')
    await link.subscribe(['b'])
    await link.command(['PUBLISH', 'b', 'y'])
    await until(() => seen.at(-1) === 'b y', 'the message')
  })

  t.test(`takes a Redis that is silent for lost, and what it listened to beside it for kept, by ${name}`, { skip }, async t => {
    const server = await startRedis(t)
    const seen: string[] = []
    const link = linkTo(create(server.port), 300, {
      ready: () => { seen.push('ready') },
      lost: () => { if (seen.at(-1) !== 'lost') seen.push('lost') },
      message: (channel, message) => { seen.push(`${channel} ${String(message)}`) }
    })
    t.teardown(() => { link.close() })
    link.open()
    await until(() => seen.length === 1, 'the connections')
    await link.subscribe(['a'])
    server.stop()
    t.teardown(() => { server.continue() })
    await t.rejects(link.command(['PUBLISH', 'b', 'x']))
    await until(() => seen.at(-1) === 'lost', 'the loss')
    server.continue()
    await until(() => seen.at(-1) === 'ready' && seen.length > 2, 'the connections')
    await link.ping()
    await link.command(['PUBLISH', 'a', 'y'])
    await until(() => seen.at(-1) === 'a y', 'the message')
  })
}
