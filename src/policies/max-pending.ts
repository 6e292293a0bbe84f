// maxPending: how many upgrades may wait for their answer at once, asked before any hook. Whoever is refused and still reads
// the response is not among them, nor is one that the application has taken.

import { check, COUNT } from '../check'
import type { Enrolment } from '../enrolment'
import { FST_WS_TOO_MANY_PENDING } from '../errors'
import { RETRY_AFTER } from '../places'
import type { PolicyMaker } from '.'

export const maxPending: PolicyMaker = ({ enrolment }) => ({
  name: 'maxPending',
  only: 'plugin',
  read (value, name) {
    if (value == null || value === false) return
    check(name, value, COUNT)
    enrolment.gates.push(({ rawResponse }) => {
      if (!isReached(Number(value), enrolment)) return
      rawResponse.setHeader('retry-after', RETRY_AFTER)
      return new FST_WS_TOO_MANY_PENDING()
    })
  }
})

function isReached (limit: number, { upgrades }: Enrolment): boolean {
  let count = 0
  if (upgrades.size < limit) return false
  for (const upgrade of upgrades) {
    if (upgrade.isPending && !upgrade.isTaken() && ++count === limit) return true
  }
  return false
}
