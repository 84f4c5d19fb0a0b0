/** What a {@link RequestQueue} keeps of those in it, in themselves. */
export interface Queueable {
  /** Until when it waits, as of performance.now(); undefined when it is in no queue. */
  waitsUntil: number | undefined
  before: this | undefined
  behind: this | undefined
}

/**
 * Requests that wait for a connection, first come, first served, each for a bounded time.
 *
 * A list that runs through the requests themselves, and leaves nothing in those that are out of it. A Map would keep what
 * was in it from being collected: whenever it grows or shrinks, the table it leaves behind has all that was in it, and
 * points to the table that comes after. Measured behind a php-fpm that is busy: 16 % of all time went into collecting.
 */
export class RequestQueue<Item extends Queueable> {
  readonly #timeout: number
  readonly #onExpired: (item: Item) => void
  #first: Item | undefined
  #last: Item | undefined
  #size = 0
  #timer: NodeJS.Timeout | undefined

  /** @param timeout milliseconds an entry may wait; 0 for ever. */
  constructor(timeout: number, onExpired: (item: Item) => void) {
    this.#timeout = timeout
    this.#onExpired = onExpired
  }

  get size(): number {
    return this.#size
  }

  /** The one that has waited longest. */
  get first(): Item | undefined {
    return this.#first
  }

  push(item: Item, now: number): void {
    const last = this.#last
    item.waitsUntil = now + this.#timeout
    item.before = last
    if (last === undefined) this.#first = item
    else last.behind = item
    this.#last = item
    this.#size++
    if (this.#timeout > 0) this.#timer ??= setTimeout(this.#expire, this.#timeout).unref()
  }

  shift(): Item | undefined {
    const first = this.#first
    if (first !== undefined) this.remove(first)
    return first
  }

  /** Takes it out, if it is in. */
  remove(item: Item): void {
    if (item.waitsUntil === undefined) return
    const { before, behind } = item
    if (before === undefined) this.#first = behind
    else before.behind = behind
    if (behind === undefined) this.#last = before
    else behind.before = before
    item.waitsUntil = item.before = item.behind = undefined
    this.#size--
  }

  // The timer is set for the one that was first when it was set; the first one now may have time left. It is not stopped
  // when the queue empties, which under load it does all the time, and holds up nobody: whoever waits does so for a socket.
  readonly #expire = (): void => {
    this.#timer = undefined
    const now = performance.now() + 1
    for (let item = this.#first; item !== undefined; item = this.#first) {
      const { waitsUntil = now } = item
      if (waitsUntil > now) {
        // Whoever just expired may have pushed another one.
        clearTimeout(this.#timer)
        this.#timer = setTimeout(this.#expire, waitsUntil - now + 1).unref()
        return
      }
      this.remove(item)
      this.#onExpired(item)
    }
  }
}
