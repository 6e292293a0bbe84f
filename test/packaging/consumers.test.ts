import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { addPrograms, install, installedVersion, pack, PACKAGING_LIMIT, root, run } from './package'

// Every way to resolve with the fast compiler, and one that the others have in common with it.
const COMPILERS = [
  { compiler: 'typescript-5.9', resolutions: ['node16'] },
  { compiler: 'typescript', resolutions: ['nodenext'] },
  { compiler: 'typescript-7', resolutions: ['node16', 'nodenext', 'bundler'] }
]

t.setTimeout(PACKAGING_LIMIT)

t.test('a folder with fastify and the tarball, and nothing else', async t => {
  const folder = await install(t, {
    fastify: await installedVersion('fastify'),
    'fastify-wss': `file:${(await pack(t)).path}`
  })

  await t.test('runs a CommonJS and an ESM program', async t => {
    await addPrograms(folder, ['echo.cjs', 'echo.mjs'])
    for (const program of ['echo.cjs', 'echo.mjs']) {
      t.equal(await run(process.execPath, [program], folder), 'echo over TCP\necho over memory\n', program)
    }
  })

  await t.test('reads messages with fastify-wss/testing, in CommonJS and ESM', async t => {
    await addPrograms(folder, ['testing.cjs', 'testing.mjs'])
    t.equal(await run(process.execPath, ['testing.cjs'], folder), 'second\n')
    t.equal(await run(process.execPath, ['testing.mjs'], folder), 'first\nsecond\n')
  })

  await t.test('publishes with fastify-wss/pubsub, in CommonJS and ESM', async t => {
    await addPrograms(folder, ['pubsub.cjs', 'pubsub.mjs'])
    t.equal(await run(process.execPath, ['pubsub.cjs'], folder), 'second\n')
    t.equal(await run(process.execPath, ['pubsub.mjs'], folder), 'first true\n')
  })

  await t.test('validates with fastify-wss/messages, in CommonJS and ESM', async t => {
    await addPrograms(folder, ['messages.cjs', 'messages.mjs'])
    t.equal(await run(process.execPath, ['messages.cjs'], folder), '{"text":"HELLO"}\n{ code: 1008, reason: "message must have required property \'text\'" }\n')
    t.equal(await run(process.execPath, ['messages.mjs'], folder), '[1] true\n')
  })

  await t.test('type-checks pub/sub and messages strictly', async t => {
    await addPrograms(folder, ['pubsub.ts', 'pubsub.mts', 'messages.ts', 'messages.mts'])
    await typeCheck(t, 'typescript-7', { module: 'nodenext', moduleResolution: 'nodenext' }, ['pubsub.ts', 'pubsub.mts', 'messages.ts', 'messages.mts'])
    await typeCheck(t, 'typescript-5.9', { module: 'commonjs', moduleResolution: 'node10', esModuleInterop: true }, ['pubsub.ts', 'messages.ts'])
  })

  await t.test('describes its websockets with fastify-wss/asyncapi, in CommonJS and ESM, and says which package is not there', async t => {
    await addPrograms(folder, ['asyncapi.cjs', 'asyncapi.mjs'])
    const missing = (name: string): string => `501 this needs the package ${name}, which is not installed\n`
    t.equal(await run(process.execPath, ['asyncapi.cjs'], folder), `roomId\n200 Packed\n${missing('yaml')}${missing('@asyncapi/web-component')}`)
    t.equal(await run(process.execPath, ['asyncapi.mjs'], folder), 'Packed true\n')
  })

  await t.test('type-checks AsyncAPI strictly', async t => {
    await addPrograms(folder, ['asyncapi.ts'])
    await typeCheck(t, 'typescript-7', { module: 'nodenext', moduleResolution: 'nodenext' }, ['asyncapi.ts'])
    await typeCheck(t, 'typescript-5.9', { module: 'commonjs', moduleResolution: 'node10', esModuleInterop: true }, ['asyncapi.ts'])
  })

  await t.test('type-checks strictly, our types and those they lean on', async t => {
    await addPrograms(folder, ['strict.ts', 'strict.mts', 'strict.cts'])
    for (const { compiler, resolutions } of COMPILERS) {
      for (const moduleResolution of resolutions) {
        const isBundler = moduleResolution === 'bundler'
        const files = ['strict.ts', 'strict.mts', ...isBundler ? [] : ['strict.cts']]
        await typeCheck(t, compiler, { module: isBundler ? 'esnext' : moduleResolution, moduleResolution }, files)
      }
    }
  })

  await t.test('type-checks with the module resolution from before exports, too', async t => {
    const modules = { module: 'commonjs', moduleResolution: 'node10' }
    await typeCheck(t, 'typescript-5.9', { ...modules, esModuleInterop: true }, ['strict.ts', 'strict.cts'])
    // Fastify's own dependencies need esModuleInterop. Ours do not.
    await typeCheck(t, 'typescript-5.9', { ...modules, skipLibCheck: true }, ['strict.ts', 'strict.cts'])
  })

  async function typeCheck (t: Test, compiler: string, modules: Record<string, unknown>, files: string[]): Promise<void> {
    const compilerOptions = { target: 'es2022', strict: true, skipLibCheck: false, noEmit: true, ...modules }
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }))
    const tsc = join(root, 'node_modules', compiler, 'bin/tsc')
    const problems = await run(process.execPath, [tsc, '--pretty', 'false'], folder).catch((failure: Error) => failure.message)
    t.equal(problems, '', `${compiler} ${await installedVersion(compiler)}, ${String(modules.moduleResolution)}`)
  }
})
