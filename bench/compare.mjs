// npm run bench -- --compare REVISION: this package as of another commit takes part, exported into a temporary folder and
// built there by its own build script. It stands on the packages that are installed here, so that only our code differs.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { compareWith } from './contestants.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))

export function addRevision (revision) {
  const commit = git('rev-parse', '--short', '--verify', `${revision}^{commit}`).toString().trim()
  const folder = mkdtempSync(join(tmpdir(), 'bench-'))
  process.once('exit', () => { rmSync(folder, { recursive: true, force: true }) })
  process.once('SIGINT', () => { process.exit(130) })

  execFileSync('tar', ['-x', '-C', folder], { input: git('archive', commit) })
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  execFileSync('npm', ['run', 'build', '--silent'], { cwd: folder, stdio: 'inherit' })
  compareWith({ title: `fastify-wss at ${commit}`, main: join(folder, 'dist/index.js') })
}

function git (...args) {
  return execFileSync('git', args, { cwd: root, maxBuffer: 2 ** 28 })
}
