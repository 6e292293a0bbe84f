import { readFileSync } from 'node:fs'
import t from 'tap'
import { filesOfPage, pageOf, POLICY } from '../../src/asyncapi/page'

t.test('the page loads what is served beside it, and nothing else', async t => {
  const page = pageOf('Rooms', 'asyncapi')
  t.same([...page.matchAll(/(?:src|href|Url|ImportPath)="([^"]*)"/g)].map(match => match[1]), ['data:,', 'asyncapi/web-component.js', 'asyncapi.json', 'asyncapi/style.css'])
  t.notMatch(page, /<script>|<style>|style=|\son\w+=/, 'nothing inline')
  t.notMatch(POLICY, /http|\*/)
})

t.test('a title is text', async t => {
  t.match(pageOf('</title><script>"&', 'asyncapi'), '<title>&#60;/title&#62;&#60;script&#62;&#34;&#38;</title>')
})

t.test('its files are those of the installed packages', async t => {
  const { script, style } = filesOfPage()
  t.match(readFileSync(script, 'utf8'), /asyncapi-component/)
  t.match(readFileSync(style, 'utf8'), /\.aui-root/)
})
