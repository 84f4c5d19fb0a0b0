/** The upstream of the gateway under test: a balancer whose members are of every kind. */
import { Balancer, type MemberOptions, Pool } from '@fastcgi/client'
import { createProcessManager, type ProcessManager, phpCgi } from '@fastcgi/process-manager'
import type { MemberChange, Setup } from './messages.ts'

/** Longer than any process is stopped: no request of these times out. */
const TIMEOUTS = { connect: 10_000, head: 20_000, idle: 20_000, write: 20_000, body: 20_000 }
/** The application of mutated responses also leaves requests without an answer. */
const SHORT = { connect: 2000, head: 1000, idle: 1000, write: 1000, abort: 1000, reader: 1000 }
const RETRY = 250
export const PROCESSES = 3

export class Upstreams {
  readonly manager: ProcessManager
  readonly mutated: Pool
  /** The same application, with several requests on a connection. */
  readonly multiplexed: Pool
  readonly outer: Balancer
  readonly #balancers: Record<'outer' | 'pools', Balancer>
  readonly #discovered: Balancer
  readonly #members: Record<'outer' | 'pools', MemberOptions[]>

  constructor(setup: Setup, log: (line: string) => void) {
    const told = (_: object, message: string): void => log(message)
    this.manager = createProcessManager({
      ...phpCgi({ program: setup.phpCgi, maxRequests: 200, ini: { display_errors: 0 } }),
      processes: PROCESSES,
      restartDelay: 100,
      maxRestartDelay: 1000,
      drainTimeout: 2000,
      killTimeout: 1000,
      timeouts: TIMEOUTS,
      logger: { info: told, warn: told, error: told },
    })
    const pools = setup.pools.map((address, at) => ({ address, name: `pool ${at}` }))
    const common = { retry: RETRY, timeouts: TIMEOUTS }
    const inner = new Balancer({ ...common, name: 'pools', members: pools })
    this.#discovered = new Balancer({
      ...common,
      name: 'discovered',
      discover: {
        name: setup.discover.name,
        servers: [setup.discover.server],
        interval: 200,
        grace: 400,
      },
    })
    const members = [
      { address: this.manager, name: 'manager' },
      { address: inner, name: 'pools' },
      { address: this.#discovered, name: 'discovered' },
      { address: setup.plain, name: 'plain' },
    ]
    this.outer = new Balancer({ ...common, name: 'outer', members })
    this.mutated = new Pool(setup.mutated, { timeouts: SHORT })
    this.multiplexed = new Pool(setup.mutated, { timeouts: SHORT, multiplex: true })
    this.#balancers = { outer: this.outer, pools: inner }
    this.#members = { outer: members, pools }
  }

  /** Requests under way or waiting. */
  get underWay(): number {
    return [this.outer, ...this.#inner].reduce(
      (sum, { stats }) => sum + stats.active + stats.queued,
      0,
    )
  }

  /** Drains, removes or adds a member. */
  async change({ kind, balancer, member }: MemberChange): Promise<void> {
    const where = this.#balancers[balancer]
    const options = this.#members[balancer].find(({ name }) => name === member)
    if (options === undefined) throw new Error(`there is no member ${member}`)
    if (kind === 'drain') where.drain(member)
    else if (kind === 'remove') await where.remove(member)
    else where.add(options)
  }

  async close(): Promise<void> {
    await this.outer.close()
    await Promise.all(this.#inner.map((dispatcher) => dispatcher.close()))
  }

  get #inner(): [Balancer, Balancer, ProcessManager, Pool, Pool] {
    return [this.#balancers.pools, this.#discovered, this.manager, this.mutated, this.multiplexed]
  }
}
