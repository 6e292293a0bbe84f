// A short soak: see bench/soak.mjs, which runs against the built package.
import t from 'tap'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

const SECONDS = 20

// Its time, and what it may wait at its ends.
t.setTimeout((SECONDS + 60) * 1000)

t.test('everything is back where it was after thousands of clients with every fault', async t => {
  const soak = spawn(process.execPath, ['bench/soak.mjs', '--seconds', String(SECONDS)], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => soak.kill())
  const exited = once(soak, 'exit')
  for await (const line of createInterface(soak.stdout)) t.comment(line)

  const [code] = await exited
  t.equal(code, 0)
})
