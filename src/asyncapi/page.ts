// The page that shows the document: AsyncAPI's own web component, as it is installed. It has no script but that one, and asks
// nobody else for anything: the policy allows for nothing more, less what the component cannot do without.

import { find } from './packages'

const COMPONENT = '@asyncapi/web-component'
const STYLE = '@asyncapi/react-component'

// The component compiles the schemas of AsyncAPI (ajv), and writes styles into its elements.
export const POLICY = [
  "default-src 'none'", "script-src 'self' 'unsafe-eval'", "style-src 'self' 'unsafe-inline'", "connect-src 'self'",
  "img-src 'self' data:", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'self'"
].join('; ')

/** The paths of what the page loads. The style comes with the package that the component is made of. */
export function filesOfPage (): { script: string, style: string } {
  const script = find(COMPONENT, `${COMPONENT}/lib/asyncapi-web-component.js`)
  return { script, style: find(STYLE, `${STYLE}/styles/default.min.css`, script) }
}

/** Its links are relative, so that it may stand behind a proxy that takes off a prefix. */
export function pageOf (title: string, name: string): string {
  return `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>${escape(title)}</title>
  <link rel="icon" href="data:,">
  <script src="${name}/web-component.js" defer></script>
</head>
<body>
  <asyncapi-component schemaUrl="${name}.json" cssImportPath="${name}/style.css"></asyncapi-component>
</body>
</html>
`
}

function escape (text: string): string {
  return text.replace(/[&<>"]/g, character => `&#${character.charCodeAt(0)};`)
}
