/**
 * Calls of functions that the user gives: listeners, loggers, subscribers, the last call of a dispatch handler. What they
 * throw must not reach `uncaughtException`, where it would end the process for all requests.
 */

/**
 * Calls a function of the user. What it throws, or what the promise that it returns rejects with, is reported as a
 * warning of the process (`process.on('warning')`), and goes no further.
 * @param what names the function in the warning, e.g. `a listener of onMember`.
 */
export function callSafely(what: string, call: () => unknown): void {
  try {
    const result = call()
    if (isPromise(result)) result.then(undefined, (error) => reportThrown(what, error))
  } catch (error) {
    reportThrown(what, error)
  }
}

/** Reports what a function of the user threw, where there is nobody else to tell. */
export function reportThrown(what: string, error: unknown): void {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  process.emitWarning(`${what} threw: ${text}`, { type: 'FastCGIWarning', code: 'FCGI_HANDLER' })
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as Partial<PromiseLike<unknown>> | null | undefined)?.then === 'function'
}
