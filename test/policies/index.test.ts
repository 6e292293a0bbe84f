import t from 'tap'
import { WebSocketServer } from 'ws'
import { createPolicies, type PolicyMaker, type Registration } from '../../src/policies'
import { check, COUNT } from '../../src/check'
import { checkLeaksAtEnd } from '../helpers/leaks'

checkLeaksAtEnd(t)

const registration = { websocketServer: new WebSocketServer({ noServer: true }) } as Registration

// A policy that tells what it was made of.
function kind (name: string, only?: 'plugin' | 'route'): PolicyMaker {
  return given => {
    t.equal(given, registration)
    return {
      name,
      only,
      read: (value, option) => {
        check(option, value, COUNT)
        return value == null ? undefined : () => ({ handshake: { backlog: Number(value), host: name } })
      }
    }
  }
}

const KINDS = [kind('both'), kind('pluginOnly', 'plugin'), kind('routeOnly', 'route')]

t.test('gives a route the policies of the options that are set, in their order, and it wins', async t => {
  const policiesFor = createPolicies(registration, { routeOnly: 'not looked at', pluginOnly: 2, both: 1, prefix: '/x' }, KINDS)
  const made = (ofRoute: object): unknown => policiesFor({ ...ofRoute }).map(({ handshake }) => `${handshake?.host} ${handshake?.backlog}`)

  t.same(made({}), ['both 1', 'pluginOnly 2'])
  t.same(made({ both: 5, routeOnly: 3 }), ['both 5', 'pluginOnly 2', 'routeOnly 3'])
  t.same(made({ both: null }), ['pluginOnly 2'], 'null switches it off')
  t.same(made({ both: undefined }), ['both 1', 'pluginOnly 2'])
})

t.test('reads an option again for what a route says more of it, and of an option that is off nothing is left', async t => {
  const read: unknown[] = []
  const main: PolicyMaker = () => ({
    name: 'main',
    also: ['more'],
    read: (value, name, { more, other }) => {
      read.push([name, value, more, other])
      return () => ({})
    }
  })
  const policiesFor = createPolicies(registration, { main: 1, more: 2, other: 3 }, [main])
  t.same(read.splice(0), [['main', 1, 2, 3]])
  policiesFor({})
  policiesFor({ main: undefined, more: undefined })
  t.same(read, [])
  policiesFor({ more: 5 })
  policiesFor({ main: 5 })
  policiesFor({ main: false })
  policiesFor({ main: null, more: 5 })
  t.same(read, [
    ['websocket.main', 1, 5, undefined],
    ['websocket.main', 5, 2, undefined],
    ['websocket.main', false, undefined, undefined],
    ['websocket.main', null, 5, undefined]
  ])
  t.throws(() => policiesFor({ other: 1 }), { message: /there are main, more/ })
})

t.test('makes nothing of nothing', async t => {
  t.same(createPolicies(registration, {})({}), [])
})

t.test('names the option that is wrong, and where it is', async t => {
  t.throws(() => createPolicies(registration, { both: 'x' }, KINDS), { message: /the option both must be/ })
  const policiesFor = createPolicies(registration, {}, KINDS)
  t.throws(() => policiesFor({ both: 'x' }), { message: /the option websocket\.both must be/ })
  t.throws(() => policiesFor({ pluginOnly: 1 }), { message: /the option websocket\.pluginOnly is not known; there are both, routeOnly/ })
  t.throws(() => policiesFor({ bot: 1 }), { message: /the option websocket\.bot is not known/ })
})
