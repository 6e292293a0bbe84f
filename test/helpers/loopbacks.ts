// localhost as machines with IPv4 and IPv6 know it: two addresses, for which Fastify makes two servers. Many machines name
// one only, and there a test of the second server would test nothing.
import dns from 'node:dns'
import { networkInterfaces } from 'node:os'
import type { Test } from 'tap'

type Answer = (error: null, addresses: dns.LookupAddress[]) => void

/** From now to the end of the test Fastify finds two addresses of localhost. */
export function resolveBothLoopbacks (t: Test): void {
  const hasIPv6 = Object.values(networkInterfaces()).flat().some(each => each?.address === '::1')
  const addresses = [{ address: '127.0.0.1', family: 4 }, hasIPv6 ? { address: '::1', family: 6 } : { address: '127.0.0.2', family: 4 }]
  const { lookup } = dns
  Object.assign(dns, {
    lookup (host: string, ...rest: unknown[]) {
      const [options, answer] = rest as [dns.LookupOptions, Answer]
      if (host === 'localhost' && options.all === true) process.nextTick(answer, null, addresses)
      else Reflect.apply(lookup, dns, [host, ...rest])
    }
  })
  t.teardown(() => { Object.assign(dns, { lookup }) })
}
