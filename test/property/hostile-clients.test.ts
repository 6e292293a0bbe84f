// Whatever clients send and however they leave: the process lives, no socket is left, a proper client is still served.
//
//   FC_RUNS=1000                 how many runs each property has, without a time limit (default: a few, for some seconds)
//   FC_SEED=... FC_PATH=...      the run that failed, as the failure printed them; add tap's `--grep` for one property
import t from 'tap'
import fc from 'fast-check'
import { type StartOptions, type Http1Transport, TRANSPORTS } from '../helpers/app'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { upgradeHead } from '../helpers/requests'
import { ECHOES, ENDINGS, failing, options } from './application'
import { anyFrame, anyRequests, upgradeWithFrames, visit } from './arbitraries'
import { parameters, payAll, Target } from './attack'

checkLeaksAtEnd(t)

const framesOnOpenConnection = fc.tuple(fc.constantFrom(...ECHOES, ...ENDINGS), fc.array(anyFrame, { minLength: 1, maxLength: 8 }))
  .map(([path, frames]) => upgradeHead(path, { 'Sec-WebSocket-Extensions': 'permessage-deflate' }) + frames.join(''))

const attacks = {
  'requests of all kinds, one behind the other': anyRequests,
  'upgrades with early frames': upgradeWithFrames,
  'frames of all kinds': framesOnOpenConnection
}

const RUNS: Record<Http1Transport, number> = { tcp: 60, tls: 20, http2: 10 }
const OPTIONS: Record<Http1Transport, StartOptions> = { tcp: options, tls: failing, http2: options }

for (const over of TRANSPORTS) {
  for (const [name, bytes] of Object.entries(attacks)) {
    t.test(`survives ${name}, over ${over}, cut and left at any point`, async t => {
      const target = new Target(t, over, OPTIONS[over])
      await fc.assert(fc.asyncProperty(fc.array(visit(bytes), { minLength: 1, maxLength: 8 }), async visits => {
        await target.survives(async running => { await payAll(running, visits) })
      }), parameters(RUNS[over]))
    })
  }
}
