// Calls of functions that the user provides: listeners, loggers, subscribers, handlers. What they throw must not become an
// 'uncaughtException', which would end the process for all requests.

/**
 * Calls a function of the user. An error that it throws, or a rejection of the promise that it returns, is reported as a
 * warning of the process (`process.on('warning')`).
 * @param what names the function in the warning, for example `a listener of onMember`.
 */
export function callSafely(what: string, call: () => unknown): void {
  try {
    const result = call()
    if (isPromise(result)) result.then(undefined, (error) => reportThrown(what, error))
  } catch (error) {
    reportThrown(what, error)
  }
}

/** Reports an error of a user's function as a warning of the process. */
export function reportThrown(what: string, error: unknown): void {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  process.emitWarning(`${what} threw: ${text}`, { type: 'FastCGIWarning', code: 'FCGI_HANDLER' })
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as Partial<PromiseLike<unknown>> | null | undefined)?.then === 'function'
}
