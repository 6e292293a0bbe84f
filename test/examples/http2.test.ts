import t from 'tap'
import { existsSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { FastifyInstance } from 'fastify'
import { chromium } from 'playwright-core'
import { certificate } from '../helpers/certificate'
import { answerTo, connectStream, framesOf, openSession, responseTo } from '../helpers/http2-clients'
import { LIMIT } from '../helpers/limit'

interface Example { build: (tls: typeof certificate) => Promise<FastifyInstance> }

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'
const skip = existsSync(executablePath) ? false : `there is no browser at ${executablePath}; CHROMIUM names another`

t.test('counts one connection for 50 websockets', async t => {
  const url = await listen()
  const session = await openSession(t, { url: () => url })
  await Promise.all(Array.from({ length: 50 }, async () => {
    const stream = connectStream(session, '/socket')
    await answerTo(stream)
    t.equal(String((await framesOf(stream)()).payload), 'hello')
  }))

  t.same(JSON.parse((await responseTo(session.request({ ':path': '/connections' }))).body), { connections: 1, versions: ['2.0'] })
})

t.test('shows it on its page', { skip }, async t => {
  const url = await listen()
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--ignore-certificate-errors'] })
  t.teardown(() => browser.close())
  const page = await (await browser.newContext({ ignoreHTTPSErrors: true })).newPage()
  await page.goto(url)
  await page.getByText('50 websockets, 1 connections, HTTP/2.0').waitFor({ timeout: 4 * LIMIT })
})

async function listen (): Promise<string> {
  const { build }: Example = await import(pathToFileURL(join(__dirname, '../../examples/http2.mjs')).href)
  const app = await build(certificate)
  t.teardown(() => app.close())
  await app.listen({ port: 0, host: '127.0.0.1' })
  return `https://127.0.0.1:${(app.server.address() as AddressInfo).port}`
}
