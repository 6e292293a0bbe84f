import t from 'tap'
import { parse } from 'yaml'
import { toYaml } from '../../src/asyncapi/yaml'
import { build, problemsOf } from '../helpers/asyncapi'

t.test('a document is the same in YAML', async t => {
  const app = await build(t, app => { app.get('/:id', { websocket: true, schema: { summary: 'yes: no', description: 'two\nlines' } }, () => {}) })
  const document = app.asyncapi()
  const text = toYaml(document)
  t.match(text, /^asyncapi: 3\.0\.0\ninfo:\n {2}title: An application\n/)
  t.same(parse(text), document)
  t.same(await problemsOf(text), [])
})
