// The URL of a route, as find-my-way reads it, as the address of a channel. What AsyncAPI cannot say becomes what it can: a
// parameter loses its pattern, a wildcard gets a name, and a route whose last parameter is optional has two addresses.

import { toKey } from './keys'

export interface Address {
  address: string
  /** The parameters: their names in the address, and what the application calls them. */
  parameters: Map<string, string>
}

const OPTIONAL = /\/:[^/()]*\?\/?$/
const NAME = /^:([^/.(:-]+)/

export function addressesOf (url: string): Address[] {
  const [optional] = OPTIONAL.exec(url) ?? []
  if (optional === undefined) return [read(url)]
  return [read(url.slice(0, -optional.length) || '/'), read(url.replace('?', ''))]
}

function read (url: string): Address {
  const parameters = new Map<string, string>()
  let address = ''
  for (let rest = url; rest !== '';) {
    const { text, length, parameter } = next(rest)
    if (parameter !== undefined) parameters.set(toName(parameter), parameter)
    address += text
    rest = rest.slice(length)
  }
  return { address, parameters }
}

interface Piece {
  text: string
  /** How much of the URL it was. */
  length: number
  parameter?: string
}

function next (rest: string): Piece {
  if (rest.startsWith('::')) return { text: ':', length: 2 }
  const [matched, parameter] = rest.startsWith('*') ? ['*', '*'] : NAME.exec(rest) ?? []
  if (matched === undefined || parameter === undefined) return { text: rest.charAt(0), length: 1 }
  const pattern = patternAt(rest.slice(matched.length))
  return { text: `{${toName(parameter)}}`, length: matched.length + pattern.length, parameter }
}

function patternAt (rest: string): string {
  if (!rest.startsWith('(')) return ''
  let depth = 0
  for (const { 0: part, index } of rest.matchAll(/\\.|[()]/g)) {
    if (part === '(') depth++
    if (part === ')' && --depth === 0) return rest.slice(0, index + 1)
  }
  return ''
}

function toName (parameter: string): string {
  return parameter === '*' ? 'wildcard' : toKey(parameter)
}
