import { install } from '@sinonjs/fake-timers'
import { readdirSync, readFileSync } from 'node:fs'
import { mock } from 'node:test'
import timers from 'node:timers'
import t from 'tap'
import { LONGEST_DELAY, clearInterval, clearTimeout, now, setImmediate, setInterval, setTimeout } from '../src/clock'
import { checkLeaksAtEnd } from './helpers/leaks'

checkLeaksAtEnd(t)

const MOCKS: Record<string, () => () => void> = {
  '@sinonjs/fake-timers' () {
    const clock = install({ toNotFake: ['nextTick'] })
    return () => { clock.uninstall() }
  },
  'node:test' () {
    mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'setImmediate', 'Date'] })
    return () => { mock.timers.reset() }
  }
}

for (const [name, install] of Object.entries(MOCKS)) {
  t.test(`goes on where ${name} stops the clock`, async t => {
    const uninstall = install()
    try {
      t.not(globalThis.setTimeout, setTimeout, 'the global is replaced')
      t.not(timers.setTimeout, setTimeout, 'the property of node:timers is replaced')
      await new Promise(resolve => { setImmediate(resolve) })
      await new Promise(resolve => { setTimeout(resolve, 1) })
      await new Promise<void>(resolve => {
        const interval = setInterval(() => {
          clearInterval(interval)
          resolve()
        }, 1)
      })
      clearTimeout(setTimeout(() => { t.fail('cleared') }, 1))
      await new Promise(resolve => { setTimeout(resolve, 2) })
    } finally {
      uninstall()
    }
  })
}

t.test('the longest delay does not end at once', async t => {
  const timer = setTimeout(() => { t.fail('ended') }, LONGEST_DELAY)
  await new Promise(resolve => { setTimeout(resolve, 2) })
  clearTimeout(timer)
})

t.test('time goes forward in whole milliseconds, where the clock is stopped too', async t => {
  const clock = install()
  const begin = now()
  while (now() < begin + 2);
  clock.uninstall()
  t.ok(Number.isInteger(begin))
})

// To be mended, one by one.
const ON_ANY_CLOCK = ['connection.ts', 'early-messages.ts', 'handshake.ts', 'pausing.ts', 'shutdown.ts', 'ways/http1-upgrade.ts', 'ways/http1.ts', 'ways/raw-socket.ts']

t.test('no other file has a timer from elsewhere', async t => {
  const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter(file => file.endsWith('.ts') && file !== 'clock.ts')
  t.same(files.filter(file => takesOtherTimers(file) && !ON_ANY_CLOCK.includes(file)), [])
})

function takesOtherTimers (file: string): boolean {
  const source = readFileSync(`src/${file}`, 'utf8').replace(/\/\/.*|\/\*[^]*?\*\//g, '')
  const [, imported = ''] = /import \{([^}]*)\} from '(?:\.\.?\/)+clock'/.exec(source) ?? []
  const called = [...source.matchAll(/(?<![\w.])(setTimeout|setInterval|setImmediate|clearTimeout|clearInterval)\(/g)].map(match => String(match[1]))
  return called.some(name => !imported.includes(name)) || source.includes("'node:timers")
}
