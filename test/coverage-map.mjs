import { existsSync } from 'node:fs'

// test/x.test.ts covers src/x.ts, alone and whole. A test without such a source file (suites, examples, packaging) is not
// asked for coverage.
export default test => {
  const source = test.replace(/^test\//, 'src/').replace(/\.test\.ts$/, '.ts')
  return existsSync(source) ? source : null
}
