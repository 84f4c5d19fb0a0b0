// One line for a request: for people, in the combined format of Apache and nginx, or as JSON.
import { painter } from './terminal.ts'

/** What is known of a request that has ended. */
export interface Access {
  readonly time: Date
  readonly address: string
  readonly method: string
  /** Request target, as the client sent it. */
  readonly target: string
  readonly httpVersion: string
  readonly status: number
  /** Whether the client got all of it. */
  readonly whole: boolean
  /** Bytes that were sent, head included; undefined with HTTP/2. */
  readonly bytes: number | undefined
  readonly milliseconds: number
  /** The script that ran, below the root; undefined for a file. */
  readonly script: string | undefined
  readonly referer: string
  readonly userAgent: string
}

const SLOW = 1000

/** `GET /index.php 200 1.2 kB 3 ms index.php`. */
export function humanAccess(access: Access, colours: boolean): string {
  const paint = painter(colours)
  const { method, target, status, bytes, milliseconds, script, whole } = access
  const colour = status >= 500 ? 'red' : status >= 400 ? 'yellow' : 'green'
  const time = `${Math.round(milliseconds)} ms`
  const parts = [
    method,
    printable(target),
    paint(colour, String(status)),
    ...(bytes === undefined ? [] : [size(bytes)]),
    milliseconds >= SLOW ? paint('yellow', time) : time,
    ...(script === undefined ? [] : [paint('dim', script)]),
    ...(whole ? [] : [paint('yellow', 'broken off')]),
  ]
  return parts.join(' ')
}

/** The combined format: `%h - - %t "%r" %>s %O "%{Referer}i" "%{User-agent}i"`. */
export function combinedAccess(access: Access): string {
  const { address, time, method, target, httpVersion, status, bytes, referer, userAgent } = access
  const line = `${method} ${target} HTTP/${httpVersion}`
  const quoted = [line, referer || '-', userAgent || '-'].map(escaped)
  return `${address || '-'} - - [${clfTime(time)}] "${quoted[0]}" ${status} ${bytes ?? '-'} "${quoted[1]}" "${quoted[2]}"`
}

/** One JSON object. */
export function jsonAccess(access: Access): string {
  return JSON.stringify({ ...access, time: access.time.toISOString() })
}

function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`
  const units = ['kB', 'MB', 'GB', 'TB']
  let amount = bytes / 1000
  let unit = 0
  for (; amount >= 999.5 && unit < units.length - 1; unit++) amount /= 1000
  return `${amount < 9.95 ? amount.toFixed(1) : Math.round(amount)} ${units[unit]}`
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** `[29/Nov/2026:10:41:59 +0000]`, in UTC. */
function clfTime(time: Date): string {
  const two = (number: number): string => String(number).padStart(2, '0')
  const date = `${two(time.getUTCDate())}/${MONTHS[time.getUTCMonth()]}/${time.getUTCFullYear()}`
  return `${date}:${two(time.getUTCHours())}:${two(time.getUTCMinutes())}:${two(time.getUTCSeconds())} +0000`
}

/** Escapes quotes, backslashes and what is not printable ASCII, as Apache does. */
function escaped(text: string): string {
  return printable(text.replace(/["\\]/g, '\\$&'))
}

function printable(text: string): string {
  return text.replace(
    /[^\x20-\x7e]/g,
    (character) => `\\x${(character.codePointAt(0) ?? 0).toString(16).padStart(2, '0')}`,
  )
}
