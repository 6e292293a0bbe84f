import neostandard from 'neostandard'

export default neostandard({
  ts: true,
  filesTs: ['**/*.mts'],
  ignores: [...neostandard.resolveIgnoresFromGitignore(), 'test/packaging/consumers/**']
})
