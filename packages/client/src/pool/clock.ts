/** The time, and timers. The pool uses those of Node; a simulation has its own. */
export interface Clock {
  /** The current time in milliseconds. */
  now(): number
  /** Calls `run` after `delay` milliseconds. */
  set(run: () => void, delay: number): Timer
  clear(timer: Timer | undefined): void
}

/** A timer of a {@link Clock}. */
export type Timer = NodeJS.Timeout | number

/** The clock of Node. */
export const systemClock: Clock = {
  now: () => performance.now(),
  set: (run, delay) => setTimeout(run, delay),
  clear: (timer) => clearTimeout(timer),
}
