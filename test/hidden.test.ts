import type { RouteOptions } from 'fastify'
import t from 'tap'
import { hide, isHidden } from '../src/hidden'

type Route = Parameters<typeof hide>[0]

t.test('a route that the application has not hidden is hidden from others only, however often', async t => {
  for (const given of [{}, { schema: {} }, { schema: { querystring: {} }, config: { url: '/' } as RouteOptions['config'] }]) {
    const route: Route = { ...given }
    hide(route)
    t.same(route.schema, { hide: true, ...given.schema })
    t.notOk(isHidden(route))
    hide(route)
    t.notOk(isHidden(route), 'shown twice')
    t.notOk(isHidden({ ...route, schema: { ...route.schema } }), 'a copy')
  }
})

t.test('what the application said stays, and what it passed in is not written to', async t => {
  for (const said of [true, false]) {
    const given = Object.freeze({ schema: Object.freeze({ hide: said }) as object, config: Object.freeze({}) as RouteOptions['config'] })
    const route: Route = { ...given }
    t.equal(isHidden(route), said)
    for (const time of ['once', 'twice']) {
      hide(route)
      t.equal(isHidden(route), said, time)
      t.same(route.schema, { hide: said })
    }
  }
})
