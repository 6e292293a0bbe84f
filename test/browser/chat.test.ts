// The page of the chat, in a real browser. Where there is none, the test is skipped and says so.
import { existsSync } from 'node:fs'
import { type Browser, type BrowserContextOptions, type ConsoleMessage, chromium, type Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { ended, startChat } from '../examples/program'
import { LIMIT } from '../helpers/limit'
import { skip as skipRedis, startRedis } from '../helpers/redis'

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'
const skip = existsSync(executablePath) ? false : `there is no browser at ${executablePath}; CHROMIUM names another`

const args = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'
]
// What the browser itself writes while there is no server. The page cannot prevent it.
const UNREACHABLE = /^WebSocket connection to .* failed/

t.test('the page of the chat, in a browser', { skip }, async t => {
  const browser = await chromium.launch({ executablePath, args })
  t.teardown(() => browser.close())

  t.test('lets two people talk, and shows who is in', async t => {
    const { url } = await startChat(t, '0')
    const ada = await visit(t, browser, url)
    await join(ada, 'Ada')
    t.same(await people(ada, 1), ['Ada'])

    const grace = await visit(t, browser, url)
    await join(grace, 'Grace')
    for (const page of [ada, grace]) t.same(await people(page, 2), ['Ada', 'Grace'])
    await shows(ada, 'Grace came in.')

    await write(ada, 'Hello, Grace')
    await write(grace, 'Hello, Ada')
    for (const page of [ada, grace]) {
      await shows(page, 'Hello, Ada')
      t.match(await said(page), [/^Ada .*Hello, Grace$/, /^Grace .*Hello, Ada$/])
    }

    await grace.close()
    await shows(ada, 'Grace left.')
    t.same(await people(ada, 1), ['Ada'])
  })

  t.test('shows after a reload what was said, and what was said meanwhile after a pause', async t => {
    const { url } = await startChat(t, '0')
    const ada = await visit(t, browser, url)
    await join(ada, 'Ada')
    for (const text of ['one', 'two']) await write(ada, text)
    await shows(ada, 'two')
    await ada.reload()
    await shows(ada, 'two')
    t.match(await said(ada), [/^Ada .*one$/, /^Ada .*two$/])
    await write(ada, 'three')
    await shows(ada, 'three')
    t.equal((await said(ada)).length, 3)
  })

  t.test('lets people on different nodes talk, who share a Redis', { skip: skipRedis }, async t => {
    const REDIS_URL = `redis://127.0.0.1:${(await startRedis(t)).port}`
    const [one, two] = [await startChat(t, '0', { REDIS_URL }), await startChat(t, '0', { REDIS_URL })]
    t.not(one.url.port, two.url.port)
    const ada = await visit(t, browser, one.url)
    await join(ada, 'Ada')
    const grace = await visit(t, browser, two.url)
    await join(grace, 'Grace')
    for (const page of [ada, grace]) t.same((await people(page, 2)).sort(), ['Ada', 'Grace'])
    await write(ada, 'Hello, Grace')
    await shows(grace, 'Hello, Grace')
    await write(grace, 'Hello, Ada')
    await shows(ada, 'Hello, Ada')
    await grace.reload()
    await shows(grace, 'Hello, Ada')
    for (const page of [ada, grace]) t.match(await said(page), [/^Ada .*Hello, Grace$/, /^Grace .*Hello, Ada$/])
    await grace.close()
    t.same(await people(ada, 1), ['Ada'])
  })

  t.test('says when the server goes away, comes back with it, and works again', async t => {
    const first = await startChat(t, '0')
    const ada = await visit(t, browser, first.url, UNREACHABLE)
    await join(ada, 'Ada')
    await status(ada, 'Connected')

    first.child.kill('SIGINT')
    await status(ada, 'Disconnected. Reconnecting…')
    t.ok(await ada.getByRole('button', { name: 'Send' }).isDisabled(), 'nothing can be sent meanwhile')
    t.equal((await ended(first)).code, 0)

    const second = await startChat(t, first.url.port)
    await status(ada, 'Connected again')
    await shows(ada, 'You are back as Ada.')
    const grace = await visit(t, browser, second.url)
    await join(grace, 'Grace')
    await write(ada, 'Still here')
    await shows(grace, 'Still here')
  })

  t.test('shows HTML in a name or a message as the text that it is', async t => {
    const { url } = await startChat(t, '0')
    const name = '<b onclick=alert(1)>A'
    const text = '<img src=x onerror="document.title = \'taken over\'"><script>document.title = \'taken over\'</script>'
    const mallory = await visit(t, browser, url)
    const ada = await visit(t, browser, url)
    await join(ada, 'Ada')
    await join(mallory, name)
    await write(mallory, text)

    for (const page of [ada, mallory]) {
      await shows(page, text)
      t.ok((await people(page, 2)).includes(name))
      t.equal(await page.locator('main :is(img, script, b)').count(), 0)
      t.equal(await page.title(), 'Chat')
    }
  })

  t.test('tells apart two people of one name', async t => {
    const { url } = await startChat(t, '0')
    const first = await visit(t, browser, url)
    await join(first, 'Ada')
    const second = await visit(t, browser, url)
    await join(second, 'Ada')

    await shows(second, 'You are in as Ada 2.')
    t.same(await people(first, 2), ['Ada', 'Ada 2'])
  })

  t.test('shows what is wrong with a name, and lets the person choose another', async t => {
    const { url } = await startChat(t, '0')
    const page = await visit(t, browser, url)
    await page.getByLabel('Your name').fill('\u200b')
    await page.getByRole('button', { name: 'Join' }).click()
    await page.getByRole('alert').getByText('A name has 1 to 24 characters.').waitFor()

    await join(page, 'Ada')
    t.equal(await page.getByRole('alert').textContent(), '')
  })

  t.test('shows what is wrong with a message, which nobody gets, and the next one is said', async t => {
    const { url } = await startChat(t, '0')
    const ada = await visit(t, browser, url)
    await join(ada, 'Ada')
    await ada.evaluate('document.getElementById(\'text\').removeAttribute("maxlength")')
    await write(ada, 'x'.repeat(501))
    await ada.getByRole('alert').getByText('A message has 1 to 500 characters.').waitFor()

    await write(ada, 'Hello')
    await shows(ada, 'Hello')
    t.equal((await said(ada)).length, 1)
    t.equal(await ada.getByRole('alert').textContent(), '')
  })

  t.test('fits a phone, however long the words are', async t => {
    const { url } = await startChat(t, '0')
    const page = await visit(t, browser, url, undefined, { viewport: { width: 320, height: 568 }, isMobile: true, hasTouch: true })
    t.ok(await fits(page), 'before joining')

    await join(page, 'W'.repeat(24))
    await write(page, 'W'.repeat(500))
    await shows(page, 'W'.repeat(500))
    t.ok(await fits(page), 'in the room')
    t.ok(await page.getByRole('button', { name: 'Send' }).isVisible())
  })

  t.test('can be used with the keyboard alone, and scrolls to what is new', async t => {
    const { url } = await startChat(t, '0')
    const page = await visit(t, browser, url)
    await status(page, 'Connected')
    await page.locator(':focus').and(page.getByLabel('Your name')).waitFor()
    await page.keyboard.type('Ada')
    await page.keyboard.press('Enter')
    await shows(page, 'You are in as Ada.')

    for (let n = 1; n <= 30; n++) {
      await page.keyboard.type(`line ${n}`)
      await page.keyboard.press('Enter')
    }
    await shows(page, 'line 30')
    const last = await page.getByText('line 30', { exact: true }).boundingBox()
    const log = await page.getByRole('log').boundingBox()
    t.ok(last && log && last.y >= log.y && last.y + last.height <= log.y + log.height, 'the last line is in sight')
  })
})

/** The page in a context of its own. Fails the test for any error in its console that `allowed` does not match. */
async function visit (t: Test, browser: Browser, url: URL, allowed?: RegExp, options?: BrowserContextOptions): Promise<Page> {
  const context = await browser.newContext(options)
  const page = await context.newPage()
  page.setDefaultTimeout(4 * LIMIT)
  const problems: string[] = []
  page.on('pageerror', error => problems.push(error.message))
  page.on('console', message => { if (isProblem(message, allowed)) problems.push(message.text()) })
  t.teardown(async () => {
    await context.close()
    if (problems.length > 0) throw new Error(`in the console: ${problems.join('; ')}`)
  })

  await page.goto(url.href)
  return page
}

function isProblem (message: ConsoleMessage, allowed: RegExp | undefined): boolean {
  return ['error', 'warning'].includes(message.type()) && !allowed?.test(message.text())
}

async function join (page: Page, name: string): Promise<void> {
  await page.getByLabel('Your name').fill(name)
  await page.getByRole('button', { name: 'Join' }).click()
  await page.getByLabel('Message', { exact: true }).waitFor()
}

async function write (page: Page, text: string): Promise<void> {
  await page.getByLabel('Message', { exact: true }).fill(text)
  await page.getByRole('button', { name: 'Send' }).click()
}

async function shows (page: Page, text: string): Promise<void> {
  await page.getByRole('log').getByText(text, { exact: true }).waitFor()
}

async function status (page: Page, text: string): Promise<void> {
  await page.getByRole('status').getByText(text, { exact: true }).waitFor()
}

/** The list of the people, once it has `count` of them. */
async function people (page: Page, count: number): Promise<string[]> {
  const items = page.getByRole('region', { name: 'People' }).getByRole('listitem')
  await items.nth(count - 1).waitFor()
  await items.nth(count).waitFor({ state: 'detached' })
  return await items.allInnerTexts()
}

async function said (page: Page): Promise<string[]> {
  const texts = await page.locator('.said').allInnerTexts()
  return texts.map(text => text.replace(/\s+/g, ' '))
}

async function fits (page: Page): Promise<boolean> {
  return await page.evaluate('document.documentElement.scrollWidth <= innerWidth && innerWidth <= screen.width')
}
