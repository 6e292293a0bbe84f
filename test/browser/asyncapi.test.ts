// The page of fastify-wss/asyncapi, in a real browser. Where there is none, the test is skipped and says so.
import { existsSync } from 'node:fs'
import { type Browser, chromium, type Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { start } from '../helpers/app'
import { info } from '../helpers/asyncapi'
import { LIMIT } from '../helpers/limit'
import asyncapi from '../../src/asyncapi'

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'
const skip = existsSync(executablePath) ? false : `there is no browser at ${executablePath}; CHROMIUM names another`

const args = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'
]

const say = { title: 'Say', description: 'Says something to all.', type: 'object', properties: { type: { const: 'say' }, text: { type: 'string' } } }
const leave = { type: 'object', properties: { type: { const: 'leave' } } }

t.test('the page of the document, in a browser', { skip }, async t => {
  const browser = await chromium.launch({ executablePath, args })
  t.teardown(() => browser.close())

  t.test('shows the title, the channels and the messages, and asks nobody else for anything', async t => {
    const { page, url, requests } = await visit(t, browser)
    await page.getByText('An application <b> 1.0.0').waitFor()
    for (const text of ['/rooms/{id}', 'A room', 'receiveRoomsId', 'sendRoomsId', 'leave', 'Says something to all.']) await page.getByText(text, { exact: true }).first().waitFor()
    t.equal(await page.title(), 'An application <b>')
    t.same(requests.filter(request => !request.startsWith(`${url}/`) && !request.startsWith('data:')), [])
    t.same([...new Set(requests.map(request => request.replace(`${url}/`, '')))].sort(), ['docs/asyncapi', 'docs/asyncapi.json', 'docs/asyncapi/style.css', 'docs/asyncapi/web-component.js'])
  })

  t.test('looks as it was made to', async t => {
    const { page } = await visit(t, browser)
    const action = page.getByText('RECEIVE', { exact: true })
    await action.waitFor()
    t.not(await action.evaluate('element => getComputedStyle(element).backgroundColor'), 'rgba(0, 0, 0, 0)')
  })
})

/** The page, whose console has to stay empty. */
async function visit (t: Test, browser: Browser): Promise<{ page: Page, url: string, requests: string[] }> {
  const { app } = await start(t, async app => {
    await app.register(asyncapi, { info: { ...info, title: 'An application <b>' }, routePrefix: '/docs/asyncapi' })
    app.get('/rooms/:id', { websocket: true, schema: { summary: 'A room', messages: { receive: { anyOf: [say, leave] }, send: say } } as object }, () => {})
  })
  const url = app.listeningOrigin
  const page = await browser.newPage()
  page.setDefaultTimeout(4 * LIMIT)
  const requests: string[] = []
  const problems: string[] = []
  page.on('request', request => { requests.push(request.url()) })
  page.on('pageerror', error => { problems.push(error.message) })
  page.on('console', message => { problems.push(message.text()) })
  t.teardown(async () => {
    await page.close()
    if (problems.length > 0) throw new Error(`in the console: ${problems.join('; ')}`)
  })
  await page.goto(`${url}/docs/asyncapi`)
  return { page, url, requests }
}
