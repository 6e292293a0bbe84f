// The suite of a user of vitest, with our tarball where npm would put it.
import { mkdir, symlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import t from 'tap'
import { addPrograms, emptyFolder, pack, PACKAGING_LIMIT, readManifest, root, run } from './package'

t.setTimeout(PACKAGING_LIMIT)

t.test('injectWS and readMessages work under the fake timers of vitest', async t => {
  const folder = await emptyFolder(t)
  const modules = join(folder, 'node_modules')
  await mkdir(join(modules, 'fastify-wss'), { recursive: true })
  await run('tar', ['-xzf', (await pack(t)).path, '--strip-components=1', '-C', join(modules, 'fastify-wss')], folder)
  const { dependencies } = await readManifest(root)
  for (const name of [...Object.keys(dependencies as object), 'fastify', 'vitest']) {
    await mkdir(dirname(join(modules, name)), { recursive: true })
    await symlink(join(root, 'node_modules', name), join(modules, name))
  }
  await addPrograms(folder, ['fake-timers.test.mjs'])
  t.match(await run(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', '--no-color', '--testTimeout=60000'], folder), /Tests +5 passed/)
})
