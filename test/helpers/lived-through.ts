/** A quarter of an hour in a moment: what a status page shows of a server that has been running for a while. */
import { mock } from 'node:test'
import type { ConnectError, Dispatcher, DispatcherStats } from '@fastcgi/client'

/** Length of a step of the histories, in milliseconds, and how many of them a page shows. */
const STEP = 10_000
export const STEPS = 90

/** The clock of what lives through it, in milliseconds. */
let clock = 0

/**
 * Lets the time of a quarter of an hour pass that ends now: the clocks are set back, and advance by a step at a time.
 * @param begin is called at its beginning, and makes what shall live through it.
 * @param live is called in each step, and says what happens in it.
 */
export async function livedThrough<T>(
  begin: () => Promise<T>,
  live: (step: number, made: T) => Promise<void>,
): Promise<T> {
  const real = performance.now
  const start = real.call(performance) - STEPS * STEP
  performance.now = () => clock
  mock.timers.enable({ apis: ['setTimeout', 'Date'], now: Date.now() - STEPS * STEP })
  try {
    clock = start
    const made = await begin()
    for (let step = 0; step < STEPS; step++) {
      clock = start + step * STEP
      await live(step, made)
      mock.timers.tick(STEP)
    }
    return made
  } finally {
    mock.timers.reset()
    performance.now = real
  }
}

/** An application whose behaviour may change while time passes. */
export class Application implements Dispatcher {
  /** Milliseconds that a response takes; every fiftieth takes ten times as long. */
  time = 9
  /** Set while nobody can connect. */
  error: ConnectError | undefined
  /** Whether it takes requests and does not answer. */
  hangs = false
  readonly stats: DispatcherStats = {
    connections: 8,
    idle: 6,
    active: 2,
    queued: 0,
    limit: 16,
    requests: 0,
    failed: 0,
    retries: 0,
  }
  #requests = 0

  dispatch(...[, handler]: Parameters<Dispatcher['dispatch']>): ReturnType<Dispatcher['dispatch']> {
    const number = this.#requests++
    const elapsed = this.time * (0.6 + ((number * 7) % 10) / 10) * (number % 50 === 49 ? 10 : 1)
    process.nextTick(() => {
      if (this.error !== undefined) {
        handler.onError(this.error, true)
        return
      }
      const reused = number % 5 !== 0
      handler.onStart?.({ address: '', reused, queueTime: 0.02, connectTime: 0.2 })
      if (this.hangs) return
      clock += elapsed
      handler.onHead(number % 40 === 0 ? 404 : 200, [], '', true)
      handler.onData(Buffer.alloc(18_000))
      handler.onEnd(0)
    })
    return { resume() {}, abort() {} }
  }

  request(): Promise<never> {
    return Promise.reject(new Error('only for members'))
  }

  async close(): Promise<void> {}

  async destroy(): Promise<void> {}
}
