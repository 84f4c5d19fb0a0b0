// The log on stderr: JSON, or lines for people on a terminal.
import pino, { type Logger } from 'pino'
import type { Settings } from '../settings/settings.ts'
import { destination } from './destination.ts'
import { humanLines } from './human-lines.ts'
import { hasColours } from './terminal.ts'

/** Writes synchronously, so that no line is lost at exit. Stacks of errors are logged at level debug and below. */
export function createLogger({ logLevel, root }: Pick<Settings, 'logLevel' | 'root'>): Logger {
  const withStacks = logLevel === 'debug' || logLevel === 'trace'
  const options = {
    level: logLevel,
    serializers: withStacks ? { err: pino.stdSerializers.err } : { err: withoutStack },
  }
  const stderr = destination(2)
  if (!process.stderr.isTTY) return pino(options, stderr)
  const format = { root, colours: hasColours(process.stderr), withStacks }
  return pino(options, {
    write: (json: string) => void stderr.write(humanLines(JSON.parse(json), format)),
  })
}

function withoutStack(error: unknown): object {
  if (!(error instanceof Error)) return { message: String(error) }
  const { name, message, cause } = error
  const { code } = error as { code?: unknown }
  return { type: name, code, message, cause: cause instanceof Error ? cause.message : undefined }
}
