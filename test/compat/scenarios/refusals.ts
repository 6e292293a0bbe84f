import type { Socket } from 'node:net'
import { WebSocketServer } from 'ws'
import { countConnections } from '../../helpers/leaks'
import { until } from '../../helpers/limit'
import { requestHead, upgradeHead } from '../../helpers/raw-client'
import type { Scenario } from '../scenario'
import type { FastifyInstance } from 'fastify'

async function free (app: FastifyInstance): Promise<void> {
  await until(async () => await countConnections(app.server) === 0, 'the server holds no connection')
}

// Upgrades that end in an answer, and upgrades that are not for us.
export const refusals: Scenario[] = [
  {
    name: 'an upgrade that announces a body is refused before anything is routed',
    oursOnly: true,
    differs: ['body-on-an-upgrade'],
    async run (stage) {
      const app = await stage.start(app => {
        stage.hooks(app, 'app')
        app.get('/', { websocket: true }, () => { stage.record('never') })
      })
      await stage.refused(app, '/', { 'Content-Length': '5' })
      await free(app)
    },
    expect: {
      'http 1': [
        '400 Bad Request',
        'connection: close',
        'content-type: application/json; charset=utf-8',
        'content-length: 118',
        'date: <date>',
        'body {"statusCode":400,"code":"FST_WS_UPGRADE_WITH_BODY","error":"Bad Request","message":"a websocket upgrade has no body"}',
        'end'
      ]
    }
  },
  {
    name: 'an upgrade over HTTP/1.0 is the plain request that it is',
    oursOnly: true,
    differs: ['no-upgrade-for-http-1.0'],
    async run (stage) {
      const app = await stage.start(app => {
        app.route({ method: 'GET', url: '/', handler: async () => 'plain', wsHandler: () => { stage.record('never') } })
      })
      const client = await stage.running(app).raw()
      client.write(upgradeHead('/').replace('HTTP/1.1', 'HTTP/1.0'))
      await stage.response('http 1', client)
      client.fin()
      await stage.ending('http 1', client)
    },
    expect: {
      'http 1': [
        '200 OK',
        'content-type: text/plain; charset=utf-8',
        'content-length: 5',
        'date: <date>',
        'connection: close',
        'body plain',
        'end'
      ]
    }
  },
  {
    name: 'a refusal by a hook that was there before the plugin frees its socket',
    oursOnly: true,
    differs: ['refusal-frees-socket'],
    async run (stage) {
      const app = await stage.start(async app => {
        app.addHook('onRequest', async (request, reply) => await reply.code(401).send('early'))
        await app.register(stage.plugin)
        app.get('/', { websocket: true }, () => { stage.record('never') })
      }, { plugin: false })
      await stage.refused(app)
      await free(app)
    },
    expect: {
      'http 1': [
        '401 Unauthorized',
        'connection: close',
        'content-type: text/plain; charset=utf-8',
        'content-length: 5',
        'date: <date>',
        'body early',
        'end'
      ]
    }
  },
  {
    name: 'a refusal in a scope that the plugin is not in frees its socket',
    oursOnly: true,
    differs: ['refusal-frees-socket'],
    async run (stage) {
      const app = await stage.start(async app => {
        await app.register(async scope => { await scope.register(stage.plugin) })
        app.get('/', { preHandler: async (request, reply) => await reply.code(403).send('elsewhere') }, async () => 'never')
      }, { plugin: false })
      await stage.refused(app)
      await free(app)
    },
    expect: {
      'http 1': [
        '403 Forbidden',
        'connection: close',
        'content-type: text/plain; charset=utf-8',
        'content-length: 9',
        'date: <date>',
        'body elsewhere',
        'end'
      ]
    }
  },
  {
    name: 'refusals by the router itself free their sockets',
    oursOnly: true,
    differs: ['refusal-frees-socket'],
    async run (stage) {
      const app = await stage.start(app => {
        app.get('/:name', { websocket: true }, () => { stage.record('never') })
      }, { fastify: { routerOptions: { maxParamLength: 10 } } })
      await stage.refused(app, '/%zz')
      await stage.refused(app, '/longer-than-ten')
      await free(app)
    },
    expect: {
      'http 1': [
        '400 Bad Request',
        'connection: close',
        'content-type: application/json',
        'content-length: 113',
        'date: <date>',
        'body {"error":"Bad Request","code":"FST_ERR_BAD_URL","message":"\'/%zz\' is not a valid url component","statusCode":400}',
        'end'
      ],
      'http 2': [
        '414 URI Too Long',
        'connection: close',
        'content-type: application/json',
        'content-length: 139',
        'date: <date>',
        'body {"error":"Bad Request","code":"FST_ERR_MAX_PARAM_LENGTH","message":"\'/longer-than-ten\' is exceeding the max param length","statusCode":414}',
        'end'
      ]
    }
  },
  {
    name: 'a refusal frees its socket although onResponse fails',
    oursOnly: true,
    differs: ['refusal-frees-socket'],
    async run (stage) {
      const app = await stage.start(async app => {
        app.addHook('onResponse', async () => { throw new Error('in onResponse') })
        await app.register(stage.plugin)
      }, { plugin: false })
      await stage.refused(app, '/nowhere')
      await free(app)
    },
    expect: {
      'http 1': [
        '404 Not Found',
        'connection: close',
        'content-type: application/json; charset=utf-8',
        'content-length: 79',
        'date: <date>',
        'body {"message":"Route GET:/nowhere not found","error":"Not Found","statusCode":404}',
        'end'
      ]
    }
  },
  {
    name: 'an upgrade that follows an unanswered request waits for its turn',
    oursOnly: true,
    differs: ['pipelined-upgrades'],
    async run (stage) {
      let answer = () => {}
      const app = await stage.start(app => {
        app.get('/slow', (request, reply) => {
          stage.record('slow')
          answer = () => { reply.send('slow') }
        })
        app.get('/', { websocket: true }, socket => {
          stage.record('handler')
          socket.close(1000)
        })
      })
      app.server.prependListener('upgrade', () => { stage.record('upgrade') })
      const client = await stage.running(app).raw()
      client.write(requestHead('GET', '/slow') + upgradeHead('/'))
      await stage.saw('app', 'upgrade')
      answer()
      await stage.response('http 1', client)
      await stage.response('http 1', client)
      client.fin()
      await stage.frames('http 1', client)
    },
    expect: {
      app: ['slow', 'upgrade', 'handler'],
      'http 1': [
        '200 OK',
        'content-type: text/plain; charset=utf-8',
        'content-length: 4',
        'date: <date>',
        'connection: keep-alive',
        'keep-alive: timeout=72',
        'body slow',
        '101 Switching Protocols',
        'upgrade: websocket',
        'connection: Upgrade',
        'sec-websocket-accept: <accept>',
        'frame 8 rsv 0 fin true 03e8',
        'end'
      ]
    }
  },
  {
    name: 'a request that offers h2c is the plain request it is without',
    oursOnly: true,
    differs: ['foreign-upgrades'],
    async run (stage) {
      const app = await stage.start(app => {
        app.get('/', { websocket: true }, () => { stage.record('never') })
        app.post('/', async request => ({ body: request.body, ws: request.ws }))
      })
      const client = await stage.running(app).raw()
      const offer = { Connection: 'Upgrade, HTTP2-Settings', Upgrade: 'h2c', 'HTTP2-Settings': 'AAMAAABkAAQAAP__' }
      client.request('POST', '/', { ...offer, 'Content-Type': 'application/json', 'Content-Length': '7' }, '{"a":1}')
      await stage.response('http 1', client)
      client.request('GET', '/', offer)
      await stage.response('http 1', client)
      client.destroy()
    },
    expect: {
      'http 1': [
        '200 OK',
        'content-type: application/json; charset=utf-8',
        'content-length: 27',
        'date: <date>',
        'connection: keep-alive',
        'keep-alive: timeout=72',
        'body {"body":{"a":1},"ws":false}',
        '404 Not Found',
        'content-length: 0',
        'date: <date>',
        'connection: keep-alive',
        'keep-alive: timeout=72'
      ]
    }
  },
  {
    name: 'an upgrade that another listener takes is left to it',
    oursOnly: true,
    differs: ['other-listeners'],
    async run (stage) {
      const other = new WebSocketServer({ noServer: true })
      const app = await stage.start(app => {
        app.get('/ours', { websocket: true }, socket => {
          socket.send('ours')
          socket.close()
        })
        app.server.on('upgrade', (request, socket, head) => {
          if (request.url !== '/theirs') return
          other.handleUpgrade(request, socket as Socket, head, taken => {
            taken.send('theirs')
            taken.close()
          })
        })
      })
      await (await stage.connect(app, '/ours')).closed()
      await (await stage.connect(app, '/theirs')).closed()
    },
    expect: {
      'client 1': ['open protocol "" extensions ""', 'message text "ours"', 'close 1005 ""'],
      'client 2': ['open protocol "" extensions ""', 'message text "theirs"', 'close 1005 ""']
    }
  }
]
