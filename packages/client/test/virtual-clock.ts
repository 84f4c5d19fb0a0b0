import type { Clock } from './internals.ts'

interface Event {
  time: number
  order: number
  run: () => void
}

/** Virtual time in milliseconds, and what happens in it: a binary heap of events. */
export class VirtualClock implements Clock {
  #now = 0
  readonly #heap: Event[] = []
  readonly #cleared = new Set<number>()
  #order = 0

  now(): number {
    return this.#now
  }

  set(run: () => void, delay: number): number {
    const event = { time: this.#now + delay, order: this.#order++, run }
    const heap = this.#heap
    let at = heap.length
    heap.push(event)
    while (at > 0) {
      const above = (at - 1) >> 1
      if (!isLater(heap[above], event)) break
      heap[at] = heap[above] as Event
      at = above
    }
    heap[at] = event
    return event.order
  }

  clear(timer: unknown): void {
    if (typeof timer === 'number') this.#cleared.add(timer)
  }

  /** Runs the events until a time, or until `done` says so. */
  runUntil(end: number, done: () => boolean = () => false): void {
    for (let event = this.#heap[0]; event !== undefined && event.time <= end && !done(); ) {
      this.#removeFirst()
      this.#now = event.time
      if (!this.#cleared.delete(event.order)) event.run()
      event = this.#heap[0]
    }
    if (!done()) this.#now = end
  }

  #removeFirst(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let at = 0
    for (;;) {
      let below = 2 * at + 1
      if (below >= heap.length) break
      if (below + 1 < heap.length && isLater(heap[below], heap[below + 1] as Event)) below++
      if (!isLater(last, heap[below] as Event)) break
      heap[at] = heap[below] as Event
      at = below
    }
    heap[at] = last
  }
}

function isLater(one: Event | undefined, other: Event): boolean {
  if (one === undefined) return false
  return one.time > other.time || (one.time === other.time && one.order > other.order)
}
