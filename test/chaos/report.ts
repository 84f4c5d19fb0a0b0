/** What a run counts. */

/** Counts that have to be 0, each with what it says. */
export const FAULTS = {
  failedGets: 'GETs failed while a member was well',
  doubledPosts: 'POSTs executed twice',
  overloadedPosts: 'POSTs executed and answered with 503',
  lostPosts: 'POSTs answered with 200 and not executed',
  truncated: 'wrong bodies that looked whole',
  hangs: 'requests without an end',
  leftConnections: 'connections of clients left over',
  leftRequests: 'requests left over at upstreams',
  leftProcesses: 'processes left over',
  leftDescriptors: 'descriptors left over',
  leftFiles: 'spool files left over',
  crashes: 'crashes, uncaught exceptions',
  warnings: 'warnings of Node.js',
  heapGrowth: 'growth of the heap over its bound',
  lateEnds: 'ends later than 5 s after SIGTERM',
  broken: 'failures of the chaos program itself',
} as const
export type Fault = keyof typeof FAULTS

/** Lines that are kept of each kind. */
const MOST = 60

export class Report {
  readonly name: string
  readonly faults: Record<Fault, number>
  /** What was done, by name. */
  readonly done = new Map<string, number>()
  /** Measurements in words, by name. */
  readonly measured = new Map<string, string>()
  /** What the first faults were. */
  readonly details: string[] = []
  /** The last that was done to the members, and what the gateway said. */
  readonly trace: string[] = []
  readonly #begun = performance.now()

  constructor(name: string) {
    this.name = name
    this.faults = Object.fromEntries(Object.keys(FAULTS).map((fault) => [fault, 0])) as Record<
      Fault,
      number
    >
  }

  fault(fault: Fault, detail: string, count = 1): void {
    this.faults[fault] += count
    if (this.details.length < MOST) this.details.push(`${this.#at()} ${FAULTS[fault]}: ${detail}`)
  }

  count(what: string, count = 1): void {
    this.done.set(what, (this.done.get(what) ?? 0) + count)
  }

  note(line: string): void {
    this.trace.push(`${this.#at()} ${line}`)
    if (this.trace.length > MOST * 5) this.trace.splice(0, MOST)
  }

  /** Whether nothing went wrong. */
  get clean(): boolean {
    return Object.values(this.faults).every((count) => count === 0)
  }

  #at(): string {
    return `${((performance.now() - this.#begun) / 1000).toFixed(2)} s`
  }
}
