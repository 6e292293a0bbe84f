// What the messages of the chat look like: each is JSON text, and an object with a type.

export const LONGEST = { name: 24, text: 500 } // characters

const string = { type: 'string' }
const name = { type: 'string', minLength: 1, maxLength: LONGEST.name }
const text = { type: 'string', minLength: 1, maxLength: LONGEST.text }
const names = { type: 'array', items: string }

export const fromBrowsers = {
  oneOf: [
    message('join', { name }, { after: string }),
    message('say', { text })
  ]
}

export const toBrowsers = {
  oneOf: [
    message('welcome', { name: string, people: names }),
    message('joined', { name: string, people: names }),
    message('left', { name: string, people: names }),
    message('error', { text: string })
  ]
}

// This one is published: turned into text once for everybody.
export const said = message('said', { name: string, text: string, at: { type: 'integer' }, id: string })

function message (type, required, optional = {}) {
  return {
    type: 'object',
    properties: { type: { type: 'string', const: type }, ...required, ...optional },
    required: ['type', ...Object.keys(required)]
  }
}
