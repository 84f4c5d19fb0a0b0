import type { BalancerOptions } from '../options.ts'
import { ByBusyness } from './bybusyness.ts'
import { ByRequests } from './byrequests.ts'
import { ByTraffic } from './bytraffic.ts'
import { First } from './first.ts'
import { Hash } from './hash.ts'
import { ByHeartbeat } from './heartbeat.ts'
import { LeastConnection } from './least-connection.ts'
import type { Method } from './method.ts'
import { RandomTwo } from './random-two.ts'
import { RoundRobin } from './round-robin.ts'

/** Creates the balancing method that the options name. */
export function createMethod({ method = 'least-connection', key }: BalancerOptions): Method {
  switch (method) {
    case 'byrequests':
      return new ByRequests()
    case 'bytraffic':
      return new ByTraffic()
    case 'bybusyness':
      return new ByBusyness()
    case 'heartbeat':
      return new ByHeartbeat()
    case 'least-connection':
      return new LeastConnection()
    case 'first':
      return new First()
    case 'round-robin':
      return new RoundRobin()
    case 'hash':
      return new Hash(key ?? ((hints) => hints.path))
    case 'sticky':
      return new Hash((hints) => hints.clientAddress)
    case 'random-two':
      return new RandomTwo()
  }
}
