// The default logger: each record is one line on stderr.

import { escapeControls, type Logger } from '@fastcgi/client/internal'

/** Details that are shown after the message, in this order. */
const SHOWN = ['requestId', 'route', 'script', 'member', 'phase', 'option', 'remedy']

/**
 * A record as one line: `GET /a.php: message (route=/ script=/srv/a.php remedy="…")`. Values with spaces or quotes are
 * written as JSON strings; control characters are escaped.
 */
export function consoleLine(details: object, message: string): string {
  const { method, path } = details as { method?: unknown; path?: unknown }
  const values = details as Readonly<Record<string, unknown>>
  const request = path === undefined ? '' : `${method} ${path}: `
  const facts = SHOWN.filter((name) => values[name] !== undefined).map(
    (name) => `${name}=${quoted(String(values[name]))}`,
  )
  const end = facts.length === 0 ? '' : ` (${facts.join(' ')})`
  return escapeControls(request + message + end)
}

function quoted(value: string): string {
  return /[\s"=()]/.test(value) || value === '' ? JSON.stringify(value) : value
}

const print = (details: object, message: string): void =>
  console.error(`fastcgi: ${consoleLine(details, message)}`)

/** Writes each record as one line to stderr. */
export const consoleLogger: Logger = { info: print, warn: print, error: print }
