import t, { type Test } from 'tap'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import websocket from '../src'
import { create, type Running, start } from './helpers/app'
import { type Deferred, deferred } from './helpers/deferred'
import { checkLeaksAtEnd } from './helpers/leaks'
import { within } from './helpers/limit'
import { resolveBothLoopbacks } from './helpers/loopbacks'
import { connectRaw, type RawClient } from './helpers/raw-client'
import { echo } from './helpers/routes'

checkLeaksAtEnd(t)

interface Shared {
  server: Server;
  /** Lets an application that closes go on. */
  release: Map<string, Deferred<void>>;
  apps: Running[];
  raw: () => Promise<RawClient>;
}

/** Applications that take their upgrades from one server, each at a path of its own and at /shared. */
async function share (t: Test, ...paths: string[]): Promise<Shared> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.close() })
  const apps: Running[] = []
  const release = new Map(paths.map(path => [path, deferred()]))
  for (const path of paths) {
    const running = create(t)
    await running.app.register(websocket, { options: { server } })
    running.app.addHook('preClose', async () => { await release.get(path)?.promise })
    for (const url of [path, '/shared']) running.app.get(url, { websocket: true }, socket => { socket.close(4000, path) })
    await running.app.ready()
    apps.push(running)
  }
  const raw = async (): Promise<RawClient> => {
    const client = await connectRaw((server.address() as AddressInfo).port)
    t.teardown(() => { client.destroy() })
    return client
  }
  t.teardown(() => { for (const { resolve } of release.values()) resolve() })
  return { server, apps, release, raw }
}

async function statusOf (client: RawClient, path: string): Promise<number> {
  return (await client.upgrade(path).readResponse()).status
}

t.test('gives each of the applications that share a server what is theirs, and at once what is nobody\'s to the first', async t => {
  const { apps, raw, server } = await share(t, '/a', '/b')
  t.equal(server.listenerCount('upgrade'), 1)
  for (const path of ['/a', '/b']) {
    const client = await raw()
    t.equal(await statusOf(client, path), 101)
    t.match(String((await client.readFrame()).payload), path)
  }
  t.equal(await statusOf(await raw(), '/nobody'), 404)
  t.match(apps[0]?.log, [{ msg: 'incoming request' }])
})

t.test('refuses the upgrades of an application that closes, and of no other that shares its server', async t => {
  const { apps: [a, b], release, raw, server } = await share(t, '/a', '/b')
  const closed = a?.app.close()
  t.equal(await statusOf(await raw(), '/b'), 101)
  const shared = await raw()
  t.equal(await statusOf(shared, '/shared'), 101)
  t.match(String((await shared.readFrame()).payload), '/b')
  t.equal(await statusOf(await raw(), '/a'), 503)
  t.equal(await statusOf(await raw(), '/nobody'), 404)
  release.get('/a')?.resolve()
  await closed

  t.equal(await statusOf(await raw(), '/b'), 101)
  t.equal(await statusOf(await raw(), '/a'), 404)
  release.get('/b')?.resolve()
  await b?.app.close()
  t.equal(server.listenerCount('upgrade'), 0, 'nobody is left')
})

t.test('refuses all where all close', async t => {
  const { apps, release, raw } = await share(t, '/a', '/b')
  const closed = apps.map(({ app }) => app.close())

  t.equal(await statusOf(await raw(), '/nobody'), 503)
  t.equal(await statusOf(await raw(), '/shared'), 503)
  for (const { resolve } of release.values()) resolve()
  await Promise.all(closed)
})

t.test('knows in company which upgrades are for one of them', async t => {
  const { raw, server } = await share(t, '/a', '/b')
  server.on('upgrade', ({ url }, rawSocket) => { if (url === '/theirs') setImmediate(() => { rawSocket.end('theirs') }) })

  t.equal(await statusOf(await raw(), '/b'), 101)
  t.equal(String(await (await raw()).upgrade('/theirs').readUntilClose()), 'theirs')
})

t.test('answers an unknown path at once where two scopes have the plugin', async t => {
  const running = await start(t, { websocket: false }, async app => {
    for (const prefix of ['/a', '/b']) {
      await app.register(async scope => {
        await scope.register(websocket)
        echo(scope, '/')
      }, { prefix })
    }
  })
  t.equal(running.server.listenerCount('upgrade'), 1)
  for (const [path, status] of [['/a', 101], ['/b', 101], ['/nobody', 404]] as const) t.equal(await statusOf(await running.raw(), path), status)
})

t.test('lives through a reset of an upgrade that comes on the second server of localhost after the close', async t => {
  resolveBothLoopbacks(t)
  const release = deferred()
  const running = await start(t, { host: 'localhost' }, app => {
    echo(app)
    app.get('/slow', async () => {
      await release.promise
      return 'slow'
    })
    // Ours has gone by then.
    app.addHook('onClose', async () => { app.server.emit('closing') })
  })
  const second = (running.app.addresses() as AddressInfo[]).find(({ address }) => address !== '127.0.0.1')
  const client = await connectRaw({ port: running.port, host: second?.address ?? 'there is one' })
  t.teardown(() => { client.destroy() })
  client.request('GET', '/slow')
  await running.logged('incoming request')
  const closing = once(running.server, 'closing')
  const closed = running.app.close()
  await within(closing, 'onClose')
  const upgrade = once(running.server, 'upgrade')
  client.upgrade('/')
  await within(upgrade, 'the upgrade')
  client.reset()
  release.resolve()

  await t.resolves(within(closed, 'app.close()'))
})

t.test('leaves its own server with the application, whether it has listened or not', async t => {
  const listening = await start(t, echo)
  const silent = create(t)
  await silent.app.register(websocket)
  await silent.app.ready()
  for (const { app } of [listening, silent]) {
    t.equal(app.server.listenerCount('upgrade'), 1)
    await app.close()
    t.equal(app.server.listenerCount('upgrade'), 0)
  }
})

t.test('leaves a server of HTTP/2 by both of its ways, and takes part in one where the other is not wanted', async t => {
  for (const [http2, before] of [[true, [1, 1]], [false, [1, 0]]] as const) {
    const running = await start(t, { over: 'h2', websocket: { http2 } })
    const listeners = (): number[] => ['upgrade', 'connect'].map(event => running.server.listenerCount(event))
    t.same(listeners(), before)
    await running.close()
    t.same(listeners(), [0, 0])
  }
})
