import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { addPrograms, install, installedVersion, pack, PACKAGING_LIMIT, readManifest, root, run } from './package'

const NAME = '@fastify/websocket'

t.setTimeout(PACKAGING_LIMIT)

t.test('a folder with the tarball under the name @fastify/websocket', async t => {
  const folder = await install(t, {
    fastify: await installedVersion('fastify'),
    'fastify-plugin': await installedVersion('fastify-plugin'),
    [NAME]: `file:${(await pack(t)).path}`
  })
  await addPrograms(folder, ['echo.cjs', 'echo.mjs', 'neighbour.cjs', 'deep.cjs', 'deep.ts'], NAME)

  await t.test('runs a CommonJS and an ESM program', async t => {
    for (const program of ['echo.cjs', 'echo.mjs']) {
      t.equal(await run(process.execPath, [program], folder), 'echo over TCP\necho over memory\n', program)
    }
  })

  await t.test('satisfies a plugin that depends on @fastify/websocket', async t => {
    t.equal(await run(process.execPath, ['neighbour.cjs'], folder), '1 here\n')
  })

  await t.test('resolves the deep imports that @fastify/websocket has', async t => {
    t.equal(await run(process.execPath, ['deep.cjs'], folder), 'fastify-wss\n')
  })

  await t.test('resolves the types of its deep imports', async t => {
    const compilers = [
      { compiler: 'typescript-5.9', module: 'commonjs', moduleResolution: 'node10' },
      { compiler: 'typescript', module: 'node16', moduleResolution: 'node16' },
      { compiler: 'typescript-7', module: 'esnext', moduleResolution: 'bundler' }
    ]
    for (const { compiler, ...modules } of compilers) {
      const compilerOptions = { target: 'es2022', strict: true, esModuleInterop: true, noEmit: true, ...modules }
      await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['deep.ts'] }))
      const tsc = join(root, 'node_modules', compiler, 'bin/tsc')
      t.equal(await run(process.execPath, [tsc, '--pretty', 'false'], folder), '', `${compiler}, ${modules.moduleResolution}`)
    }
  })
})

t.test('a GraphQL server (mercurius) that depends on @fastify/websocket serves its clients over the tarball', async t => {
  const folder = await install(t, {
    fastify: await installedVersion('fastify'),
    graphql: '^16.0.0',
    'graphql-ws': '^6.0.0',
    mercurius: '^16.0.0'
  }, {
    overrides: { [NAME]: `file:${(await pack(t)).path}` }
  })
  t.equal((await readManifest(join(folder, 'node_modules', NAME))).name, 'fastify-wss')
  t.notOk(existsSync(join(folder, 'node_modules/mercurius/node_modules', NAME)))

  await addPrograms(folder, ['mercurius.cjs'])
  const lines = (await run(process.execPath, ['mercurius.cjs'], folder)).split('\n')
  t.same(lines.filter(line => !line.startsWith('wrong websocket protocol')), [
    'hello',
    'someone is here',
    'message 1',
    'message 2',
    'stranger: 403',
    'wrong protocol: 1002',
    ''
  ])
})
