// The document as YAML.

import { find } from './packages'

export function toYaml (document: object): string {
  const { stringify }: typeof import('yaml') = require(find('yaml'))
  return stringify(document)
}
