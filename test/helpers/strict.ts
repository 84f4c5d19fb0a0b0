/** Checks that nothing reaches `uncaughtException` or `unhandledRejection` while the tests of a file run. */
import t from 'tap'

const escaped: unknown[] = []

process.on('uncaughtException', (error) => escaped.push(error))
process.on('unhandledRejection', (error) => escaped.push(error))

/** Call once at the top of a test file: it fails at the end when something has escaped. */
export function nothingEscapes(): void {
  t.teardown(() => {
    if (escaped.length > 0) throw new Error(`reached uncaughtException: ${escaped.map(describe)}`)
  })
}

/** The warnings that functions of the user have caused, as they come. */
export function collectWarnings(): Error[] {
  const warnings: Error[] = []
  const keep = (warning: Error): void => void warnings.push(warning)
  process.on('warning', keep)
  t.teardown(() => process.off('warning', keep))
  return warnings
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
