// The keys of the document: made of letters, digits, '_', '-' and '.', as AsyncAPI wants them, and each of them once.

export class Keys {
  readonly #taken = new Set<string>()

  /** As it is, or with a number behind it. */
  take (name: string): string {
    let key = name
    for (let count = 2; this.#taken.has(key); count++) key = `${name}_${count}`
    this.#taken.add(key)
    return key
  }
}

export function toKey (name: string): string {
  return name.replace(/[^\w.-]+/g, '_').replace(/^_+|_+$/g, '') || 'unnamed'
}

/** `/rooms/{id}` is `roomsId`. */
export function toCamelCase (text: string): string {
  const [first = 'root', ...others] = text.split(/[^A-Za-z0-9]+/).filter(word => word !== '')
  return [first, ...others.map(capitalise)].join('')
}

export function capitalise (word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1)
}
