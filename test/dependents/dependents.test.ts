import { existsSync } from 'node:fs'
import { cp, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { LIMIT } from '../helpers/limit'
import { install, installedVersion, pack, PACKAGING_LIMIT, readManifest, run } from '../packaging/package'
import { DEPENDENCIES } from './dependencies'

const NAME = '@fastify/websocket'
const BROWSER = process.env.CHROMIUM ?? '/usr/bin/chromium'
const programs = join(__dirname, 'programs')

t.setTimeout(PACKAGING_LIMIT)

t.test('packages that lean on @fastify/websocket, installed so that it is the tarball', async t => {
  const folder = await install(t, {
    ...DEPENDENCIES,
    fastify: await installedVersion('fastify'),
    typescript: await installedVersion('typescript'), // tRPC asks for one
    ws: await installedVersion('ws'),
    [NAME]: `file:${(await pack(t)).path}`
  }, {
    overrides: { [NAME]: `$${NAME}` }
  })
  t.same(await installedAs(folder, NAME), [`node_modules/${NAME}`], 'there is one package of this name')
  t.equal((await readManifest(join(folder, 'node_modules', NAME))).name, 'fastify-wss')
  await cp(programs, folder, { recursive: true })

  await t.test('graphql-ws: queries, subscriptions, refusals and errors reach its client, with their close codes', async t => {
    await prints(t, 'graphql-ws.mjs', [
      'another protocol: 4406 Subprotocol not acceptable',
      'chosen of two protocols: graphql-transport-ws',
      'no connectionInit: 4408 Connection initialisation timeout',
      'subscribed before connectionInit: 4401 Unauthorized',
      'wrong token: 4403 Forbidden',
      'onConnect failed: 4500 the token store is on fire',
      'query: hello from /graphql',
      'subscription: 3 2 1',
      'client disposed, the server saw: 1000 Normal Closure',
      'error of a socket: 4500 out of sockets',
      'error of the server: 4500 out of servers',
      'application closed: 1005'
    ])
  })

  await t.test('tRPC: queries, mutations and subscriptions run over wsLink, and go on after a restart of the server', async t => {
    await prints(t, 'trpc.mjs', [
      'query: hello world, ada',
      'query over HTTP: hello world, somebody',
      'mutation: 1 milk',
      'refused: FORBIDDEN not for you',
      'together: hello a, ada; hello b, ada; hello c, ada',
      'subscription: 1 2 3',
      'before the restart: 1 2 3',
      'closed: 1005',
      'after the restart: 4 5 6',
      'closed: 1005'
    ])
  })

  await t.test('@fastify/http-proxy: proxies websockets beside and to routes of ours, whichever is registered first', async t => {
    const seen = [
      'hello here',
      '403 closed',
      'hello from /echo?a=1 (chat, b=2)',
      'closed by upstream: 4000 gone',
      'refused by upstream: 1011',
      'plain',
      'again from /echo (, undefined)',
      'application closed: 1005 and 1005'
    ]
    await prints(t, 'http-proxy.mjs', ['websocket before proxy:', ...seen, 'proxy before websocket:', ...seen])
  })

  await t.test('y-websocket: two documents sync in a room, also one whose handler takes its time', async t => {
    await prints(t, 'y-websocket.mjs', ['rooms', 'private'].flatMap(path => [
      `${path}: hello world`,
      'bob sees ada',
      'after an absence: > hello world!',
      'bob left'
    ]))
  })

  await t.test('@fastify/session: lets in who has logged in, keeps what a handler saves, and its cookie fits on the handshake', async t => {
    await prints(t, 'session.mjs', ['TCP', 'memory'].flatMap(way => [
      `over ${way}:`,
      '401 log in first sessionId',
      'forged: 401',
      '101 hello ada, visit 1',
      '101 hello ada, visit 2',
      '101 hello guest',
      'sessionId,theme',
      '101 hello guest, visit 1'
    ]))
  })

  await t.test('@fastify/jwt: lets in who brings a token, and tells others why not', async t => {
    await prints(t, 'jwt.mjs', ['TCP', 'memory'].flatMap(way => [
      `over ${way}:`,
      'nobody: 401 FST_JWT_NO_AUTHORIZATION_IN_COOKIE',
      'forger: 401 FST_JWT_AUTHORIZATION_TOKEN_INVALID',
      'latecomer: 401 FST_JWT_AUTHORIZATION_TOKEN_EXPIRED',
      'by header: 101 hello ada',
      'by cookie: 101 hello ada'
    ]))
  })

  await t.test('@fastify/rate-limit: answers one upgrade too many with 429 and its headers, and keeps no socket of it', async t => {
    await prints(t, 'rate-limit.mjs', [
      '1: 101, limit 2, remaining 1',
      'hello',
      '2: 101, limit 2, remaining 0',
      'hello',
      '3: 429, limit 2, remaining 0',
      'Too Many Requests, retry-after: true',
      'not limited: hello',
      'HTTP/1.1 429 Too Many Requests true Too Many Requests',
      'application closed'
    ])
  })

  await t.test('@fastify/swagger: describes plain routes, and those websocket routes that say so', async t => {
    const seen = [
      '/both a schema of two routes',
      '/plain a schema of two routes',
      '/shown a websocket route in the document',
      'schemas untouched: true',
      ...['/hidden', '/shown', '/both'].map(path => `${path} hello ada 400 querystring must have required property 'name'`)
    ]
    await prints(t, 'swagger.mjs', ['swagger before websocket:', ...seen, 'websocket before swagger:', ...seen])
  })

  await t.test('@fastify/otel: traces the hooks and the handler of an upgrade, whichever is registered first', async t => {
    const seen = [
      'hello, traced: true',
      'span of preValidation',
      'span of handler /echo',
      '401 who are you?',
      'span of request /echo 401',
      'span of preValidation',
      '200 plain',
      'span of preValidation',
      'span of handler /plain',
      'span of request /plain 200'
    ]
    await prints(t, 'otel.mjs', ['otel before websocket:', ...seen, 'websocket before otel:', ...seen])
  })

  const skip = existsSync(BROWSER) ? false : `there is no browser at ${BROWSER}; CHROMIUM names another`
  await t.test('graphql-ws and tRPC over HTTP/2: their clients in a browser use the session of its page', { skip }, async t => {
    await prints(t, 'http2-browser.mjs', [
      'query: hello over 2.0',
      'subscription: 3 2 1',
      'tRPC query: hello world over 2.0',
      'tRPC subscription: 1 2 3',
      'sessions: 1'
    ], [BROWSER, join(__dirname, '../helpers/tls')])
  })

  async function prints (t: Test, program: string, lines: string[], args: string[] = []): Promise<void> {
    const output = await run(process.execPath, [program, ...args], folder, 4 * LIMIT)
    t.same(output.split('\n'), [...lines, ''])
  }
})

/** The folders in which npm installed a package under a name. */
async function installedAs (folder: string, name: string): Promise<string[]> {
  const lock = JSON.parse(await readFile(join(folder, 'node_modules/.package-lock.json'), 'utf8'))
  return Object.keys(lock.packages).filter(path => path.endsWith(`node_modules/${name}`))
}
