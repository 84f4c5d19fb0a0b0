import { lookup, Resolver } from 'node:dns/promises'
import { isIP } from 'node:net'

/** Where members come from: the records of a host name. */
export interface DiscoverOptions {
  /** `'php.example:9000'`, whose A and AAAA records are members, or `'srv:_php._tcp.example'`. */
  name: string
  /** Milliseconds between look-ups. @default 30000 */
  interval?: number | undefined
  /**
   * Milliseconds that members stay after the name is said not to exist any more. While nobody answers at all, they
   * stay for as long as it takes. @default 60000
   */
  grace?: number | undefined
  /** Name servers to ask, as `'address'` or `'address:port'`. @default those of the system, hosts file included */
  servers?: readonly string[] | undefined
}

/** A member as DNS describes it. */
export interface DiscoveredMember {
  address: string
  /** SRV weight; 1 where there is none. */
  weight: number
  /** SRV priority, lowest first. */
  lbset: number
}

/** What a look-up brought: members, none because there is no such name, or nothing because nobody answered. */
export type DiscoveryResult =
  | {
      readonly kind: 'members'
      readonly members: readonly DiscoveredMember[]
      /** Whether all name servers that were asked for a part of it answered. */
      readonly complete: boolean
    }
  | { readonly kind: 'gone'; readonly error: Error }
  | { readonly kind: 'silence'; readonly error: Error }

/** Looks a name up on an interval and reports what it finds. */
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
    if (!this.#stopped) this.#report(result)
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
      return { kind: isGone(error) ? 'gone' : 'silence', error: error as Error }
    }
  }

  async #hosts(name: string): Promise<DiscoveredMember[]> {
    const colon = name.lastIndexOf(':')
    const port = name.slice(colon + 1)
    const addresses = await this.#addresses(name.slice(0, colon))
    return addresses.map((address) => ({ address: join(address, port), weight: 1, lbset: 0 }))
  }

  /** Priority is the set, weight the share (RFC 2782); a weight of 0 is a very small share. */
  async #services(name: string): Promise<DiscoveredMember[]> {
    const resolver = this.#resolver ?? new Resolver()
    const records = await resolver.resolveSrv(name)
    const priorities = [...new Set(records.map(({ priority }) => priority))].sort((a, b) => a - b)
    const heaviest = Math.max(1, ...records.map(({ weight }) => weight))
    return this.#whatIsFound(
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
    return this.#whatIsFound([resolver.resolve4(host), resolver.resolve6(host)])
  }

  /** One family, or one target of a service, may be missing without a word about the others. */
  async #whatIsFound<T>(parts: ReadonlyArray<Promise<T[]>>): Promise<T[]> {
    const settled = await Promise.allSettled(parts)
    const found = settled.flatMap((part) => (part.status === 'fulfilled' ? part.value : []))
    const reasons = settled.flatMap((part) => (part.status === 'rejected' ? [part.reason] : []))
    const silence = reasons.find((reason) => !isGone(reason))
    if (found.length === 0 && reasons.length > 0) throw silence ?? reasons[0]
    if (silence !== undefined) this.#complete = false
    return found
  }
}

/** There is no such name, or none of that type; anything else is no answer. */
function isGone(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'ENOTFOUND' || code === 'ENODATA'
}

function join(address: string, port: string): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}
