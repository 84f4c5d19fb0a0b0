// Log records as lines for people: a failure takes three lines at most, a notice of a script begins with its name.
import { relative } from 'node:path'
import { escapeControls } from '@fastcgi/client/internal'
import { errorAdvice } from '@fastcgi/gateway/internal'
import { painter, type Style } from './terminal.ts'

/** A record of the log, with the details that gateway and process manager give. */
export interface LogRecord {
  readonly level: number
  readonly msg?: string
  readonly err?: { readonly code?: string; readonly message?: string; readonly stack?: string }
  readonly method?: string
  readonly path?: string
  /** SCRIPT_FILENAME. */
  readonly script?: string
  readonly member?: string
  readonly remedy?: string
}

/** How records are shown. */
export interface HumanFormat {
  /** Directory that names of scripts are relative to. */
  readonly root: string
  readonly colours: boolean
  readonly withStacks: boolean
}

const WARN = 40
const ERROR = 50
const STDERR = 'stderr of the application: '

/** The lines of a record, each with a line end. */
export function humanLines(record: LogRecord, format: HumanFormat): string {
  const paint = painter(format.colours)
  const { level, msg = '', err } = record
  const lines = msg.startsWith(STDERR)
    ? [
        `  ${paint('yellow', scriptOf(record, format.root) ?? 'notice')}: ${msg.slice(STDERR.length)}`,
      ]
    : [`${label(level, paint)}${requestOf(record)}${msg}`]
  if (err !== undefined) lines.push(...memberLine(record, format.root))
  const remedy = record.remedy ?? (err?.code && errorAdvice(err.code))
  if (remedy) lines.push(`  remedy: ${remedy}`)
  if (format.withStacks && err?.stack !== undefined) lines.push(err.stack)
  return lines.map((line) => `${line}\n`).join('')
}

function label(level: number, paint: (style: Style, text: string) => string): string {
  if (level >= ERROR) return paint('red', 'error: ')
  return level >= WARN ? paint('yellow', 'warning: ') : ''
}

function memberLine(record: LogRecord, root: string): string[] {
  const { member } = record
  const script = scriptOf(record, root)
  const parts = [
    ...(member === undefined ? [] : [`member ${member}`]),
    ...(script === undefined ? [] : [`script ${script}`]),
  ]
  return parts.length === 0 ? [] : [`  at ${parts.join(', ')}`]
}

function requestOf({ method, path }: LogRecord): string {
  return path === undefined ? '' : escapeControls(`${method} ${path}: `)
}

function scriptOf({ script }: LogRecord, root: string): string | undefined {
  return script === undefined ? undefined : scriptName(script, root)
}

/** The name of a script below the root; its whole path if it lies elsewhere. */
export function scriptName(file: string, root: string): string {
  const name = relative(root, file)
  return name.startsWith('..') ? file : name
}
