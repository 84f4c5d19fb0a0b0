// The histories of all that a status shows: of each member, of each dispatcher, and of all together.

import { Balancer, type Dispatcher, type Figures, type Member, Pool } from '@fastcgi/client'
import { History, type HistorySnapshot, type Totals } from './history.ts'
import { unwrap } from './unwrap.ts'

/** Has to be called at the end of each step; costs nothing in between. */
export class Histories {
  readonly #all = new WeakMap<object, History>()
  readonly #total = new History()

  /** Closes a step. @param now milliseconds since 1970. */
  add(dispatchers: Iterable<Dispatcher>, now: number): void {
    const totals: Totals[] = []
    for (const dispatcher of dispatchers) {
      const inner = unwrap(dispatcher)
      const members = inner instanceof Balancer ? inner.members : []
      for (const member of members) this.#historyOf(member).add(memberTotals(member), now)
      const sum = inner instanceof Pool ? poolTotals(inner) : dispatcherTotals(dispatcher, members)
      this.#historyOf(dispatcher).add(sum, now)
      if (inner !== dispatcher && inner instanceof Pool) this.#historyOf(inner).add(sum, now)
      totals.push(sum)
    }
    this.#total.add(totals.reduce(addTotals, EMPTY), now)
  }

  /** The history of a member or dispatcher. */
  of(shown: object): HistorySnapshot {
    return (this.#all.get(shown) ?? NOTHING).snapshot(Date.now())
  }

  /** The history of all dispatchers together. */
  total(): HistorySnapshot {
    return this.#total.snapshot(Date.now())
  }

  #historyOf(shown: object): History {
    const known = this.#all.get(shown) ?? new History()
    this.#all.set(shown, known)
    return known
  }
}

const NOTHING = new History()
const EMPTY: Totals = { requests: 0, failures: 0, queue: 0, counts: [] }

function figureTotals(figures: Figures, queue: number): Totals {
  const { failed, aborted, totalTimes } = figures
  return {
    requests: totalTimes.count + failed + aborted,
    failures: failed,
    queue,
    counts: totalTimes.counts,
  }
}

function poolTotals(pool: Pool): Totals {
  return figureTotals(pool.figures, pool.stats.queued)
}

function memberTotals({ figures, dispatcher }: Member): Totals {
  return figureTotals(figures, dispatcher.stats.queued)
}

/** A balancer has requests that no member has got, and members may have failed requests that others have answered. */
function dispatcherTotals({ stats }: Dispatcher, members: readonly Member[]): Totals {
  const aborted = members.reduce((sum, { figures }) => sum + figures.aborted, 0)
  return {
    requests: stats.requests - stats.active - stats.queued,
    failures: Math.max(0, stats.failed - aborted),
    queue: stats.queued,
    counts: members.map(memberTotals).reduce(addTotals, EMPTY).counts,
  }
}

function addTotals(a: Totals, b: Totals): Totals {
  const [longer, shorter] = a.counts.length >= b.counts.length ? [a, b] : [b, a]
  return {
    requests: a.requests + b.requests,
    failures: a.failures + b.failures,
    queue: a.queue + b.queue,
    counts: longer.counts.map((count, at) => count + (shorter.counts[at] ?? 0)),
  }
}
