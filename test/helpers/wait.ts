/** Waiting in tests: for an event, never for luck, and never without an end. */
import { onExpiry } from './time-limit.ts'

/** How long things may take on an idle machine, in milliseconds. */
const LIMIT = 10_000

/** Settles as the promise does; rejects when that takes too long, saying what was waited for. */
export function within<T>(what: string, promise: Promise<T>, limit = LIMIT): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = onExpiry(limit, () => reject(new Error(`waited in vain for ${what}`)))
    promise.then(resolve, reject).finally(cancel)
  })
}

/** Resolves once the condition holds; looks every few milliseconds. For what tells of itself by no event. */
export async function until(what: string, condition: () => boolean, limit = LIMIT): Promise<void> {
  let expired = false
  const cancel = onExpiry(limit, () => {
    expired = true
  })
  try {
    while (!condition()) {
      if (expired) throw new Error(`waited in vain for ${what}`)
      await delay(2)
    }
  } finally {
    cancel()
  }
}

/** Lets time pass where time itself is the matter, for instance to see that nothing happens in it. */
export function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}

/** Lets everything that is ready happen, so many turns of the event loop long. */
export async function turns(count: number): Promise<void> {
  for (let n = 0; n < count; n++) await new Promise(setImmediate)
}
