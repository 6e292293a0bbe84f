// logClose: one line in the log when a connection ends, as Fastify writes one when a response is out.

import { check } from '../check'
import type { Rule } from '../check'
import type { Connection } from '../connection'
import { onEnd } from '../summary'
import type { PolicyMaker } from '.'

const LEVEL: Rule = { isValid: value => typeof value === 'boolean' || value === 'info', text: "must be 'info' or false" }

export const logClose: PolicyMaker = () => ({
  name: 'logClose',
  read (value, name) {
    check(name, value, LEVEL)
    return value ? () => ({ open: logEnd }) : undefined
  }
})

function logEnd (connection: Connection): undefined {
  const { log } = connection.request
  onEnd(connection, summary => { log.info(summary, 'websocket connection closed') })
}
