// Finds the members of a balancer by DNS: A and AAAA records of a host, or SRV records of a service.
import { lookup, Resolver } from 'node:dns/promises'
import { isIP } from 'node:net'
import { callSafely } from '../../callbacks.ts'

/** Discovery of members by DNS. */
export interface DiscoverOptions {
  /**
   * `'php.example:9000'`, with one member per A and AAAA record, or `'srv:_php._tcp.example'`, with one member per
   * address of an SRV record (RFC 2782): its priority becomes the `lbset`, its weight the `weight`.
   * With the balancer's option `tls` they are encrypted; their certificates must be for the IP address, or `tls.servername`.
   */
  name: string
  /** Milliseconds between lookups. @default 30000 */
  interval?: number | undefined
  /**
   * Milliseconds that members are kept after DNS has answered that the name does not exist. While DNS does not answer,
   * they are kept without limit. @default 60000
   */
  grace?: number | undefined
  /** Name servers, as `'address'` or `'address:port'`. @default those of the system, and its hosts file for A and AAAA */
  servers?: readonly string[] | undefined
}

/** A member found by DNS. */
export interface DiscoveredMember {
  /** `host:port` or `[host]:port`. */
  address: string
  /** SRV weight, scaled to 0.01 to 100; 1 without SRV. */
  weight: number
  /** Rank of the SRV priority, 0 for the lowest; 0 without SRV. */
  lbset: number
}

/** Result of a lookup: members, no such name or record (`not-found`), or no answer from DNS (`no-answer`). */
export type DiscoveryResult =
  | {
      readonly kind: 'members'
      readonly members: readonly DiscoveredMember[]
      /** Whether all queries of the lookup were answered. */
      readonly complete: boolean
    }
  | { readonly kind: 'not-found'; readonly error: Error }
  | { readonly kind: 'no-answer'; readonly error: Error }

/** Looks up a name at an interval and reports the results. */
export class Discovery {
  readonly #options: DiscoverOptions
  readonly #report: (result: DiscoveryResult) => void
  readonly #resolver: Resolver | undefined
  readonly #timer: NodeJS.Timeout
  #stopped = false
  #looking = false
  #complete = true

  constructor(options: DiscoverOptions, report: (result: DiscoveryResult) => void) {
    this.#options = options
    this.#report = report
    if (options.servers !== undefined) {
      this.#resolver = new Resolver({ timeout: 2000, tries: 2 })
      this.#resolver.setServers(options.servers)
    }
    this.#timer = setInterval(() => void this.#look(), options.interval ?? 30_000)
    this.#timer.unref()
    void this.#look()
  }

  stop(): void {
    this.#stopped = true
    clearInterval(this.#timer)
    this.#resolver?.cancel()
  }

  async #look(): Promise<void> {
    if (this.#looking) return
    this.#looking = true
    const result = await this.#resolve()
    this.#looking = false
    if (!this.#stopped) callSafely(`discovery of ${this.#options.name}`, () => this.#report(result))
  }

  async #resolve(): Promise<DiscoveryResult> {
    const { name } = this.#options
    this.#complete = true
    try {
      const members = name.startsWith('srv:')
        ? await this.#services(name.slice('srv:'.length))
        : await this.#hosts(name)
      return { kind: 'members', members, complete: this.#complete }
    } catch (error) {
      return { kind: isNotFound(error) ? 'not-found' : 'no-answer', error: error as Error }
    }
  }

  async #hosts(name: string): Promise<DiscoveredMember[]> {
    const colon = name.lastIndexOf(':')
    const port = name.slice(colon + 1)
    const addresses = await this.#addresses(name.slice(0, colon))
    return addresses.map((address) => ({ address: join(address, port), weight: 1, lbset: 0 }))
  }

  /** Maps SRV records to members (RFC 2782). A weight of 0 becomes a very small share. */
  async #services(name: string): Promise<DiscoveredMember[]> {
    const resolver = this.#resolver ?? new Resolver()
    const all = await resolver.resolveSrv(name)
    // RFC 2782: the target `.` says that there is no such service; on port 0 nothing listens.
    const records = all.filter(
      (record) => record.port > 0 && record.name !== '' && record.name !== '.',
    )
    const priorities = [...new Set(records.map(({ priority }) => priority))].sort((a, b) => a - b)
    const heaviest = Math.max(1, ...records.map(({ weight }) => weight))
    return this.#collect(
      records.map(async (record) => {
        const addresses = await this.#addresses(record.name)
        return addresses.map((address) => ({
          address: join(address, String(record.port)),
          weight: Math.max(0.01, (record.weight / heaviest) * 100),
          lbset: Math.min(99, priorities.indexOf(record.priority)),
        }))
      }),
    )
  }

  async #addresses(host: string): Promise<string[]> {
    if (isIP(host) !== 0) return [host]
    const resolver = this.#resolver
    if (resolver === undefined)
      return (await lookup(host, { all: true })).map(({ address }) => address)
    return this.#collect([resolver.resolve4(host), resolver.resolve6(host)])
  }

  /** Collects the results of several queries: one per address family or SRV target. A failed one does not fail the rest. */
  async #collect<T>(parts: ReadonlyArray<Promise<T[]>>): Promise<T[]> {
    const settled = await Promise.allSettled(parts)
    const found = settled.flatMap((part) => (part.status === 'fulfilled' ? part.value : []))
    const reasons = settled.flatMap((part) => (part.status === 'rejected' ? [part.reason] : []))
    const noAnswer = reasons.find((reason) => !isNotFound(reason))
    if (found.length === 0 && reasons.length > 0) throw noAnswer ?? reasons[0]
    if (noAnswer !== undefined) this.#complete = false
    return found
  }
}

/** Whether DNS has answered that the name or record type does not exist. Other errors mean that there was no answer. */
function isNotFound(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'ENOTFOUND' || code === 'ENODATA'
}

function join(address: string, port: string): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}
