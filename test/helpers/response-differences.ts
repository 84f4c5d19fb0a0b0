/** The kinds of responses that the client receives differently here than from nginx. docs/differences.md explains each. */
import type { RandomHead } from './random-heads.ts'

/** A response as the client received it. */
export interface Received {
  readonly status: number
  /** Values by lower-case name, in order; without the fields of the connection. */
  readonly fields: Readonly<Record<string, readonly string[]>>
  readonly body: string
}

/** A response that two servers passed on differently. */
export interface ResponseDifference {
  readonly method: string
  readonly given: RandomHead
  readonly ours: Received
  readonly nginx: Received
}

/** The names of the kinds that a difference is of; undefined if a part of it is of none. */
export function responseKinds(difference: ResponseDifference): string[] | undefined {
  const { ours, nginx } = difference
  if (ours.status !== nginx.status || ours.body !== nginx.body) {
    const kind = find(RESPONSE_KINDS, (applies) => applies(difference))
    return kind === undefined ? undefined : [kind]
  }
  const names = new Set([...Object.keys(ours.fields), ...Object.keys(nginx.fields)])
  const kinds = [...names]
    .filter((name) => String(ours.fields[name]) !== String(nginx.fields[name]))
    .map((name) => find(FIELD_KINDS, (applies) => applies(name, difference)))
  return kinds.every((kind) => kind !== undefined) ? [...new Set(kinds)] : undefined
}

function find<Applies>(
  kinds: Readonly<Record<string, Applies>>,
  matches: (applies: Applies) => boolean,
): string | undefined {
  return Object.entries(kinds).find(([, applies]) => matches(applies))?.[0]
}

const valuesOf = ({ lines }: RandomHead, name: string): string[] =>
  lines
    .filter((line) => line.toLowerCase().startsWith(`${name}:`))
    .map((line) => line.slice(name.length + 1).trim())

const lengthsOf = (given: RandomHead): string[] =>
  valuesOf(given, 'content-length').filter((value) => value !== '')

const FIELD_LINE = /^[!#$%&'*+.^_`|~0-9a-z-]+:(?:[\t\x20-\x7e\x80-\xff]|\r?\n[ \t])*$/i
const STATUS_LINE = /^HTTP\/1\.1 /

/** Kinds of responses whose status or body differs. */
export const RESPONSE_KINDS: Readonly<Record<string, (difference: ResponseDifference) => boolean>> =
  {
    'status over 599': ({ ours, given }) =>
      ours.status === 502 && valuesOf(given, 'status').some((value) => /^[6-9]\d\d/.test(value)),
    'malformed head': ({ ours, given }) =>
      ours.status === 502 &&
      (given.lines.some(
        (line, at) => !FIELD_LINE.test(line) && !(at === 0 && STATUS_LINE.test(line)),
      ) ||
        lengthsOf(given).some((length) => !/^\d+$/.test(length)) ||
        valuesOf(given, 'status').some((value) => !/^\d{3}(?!\d)/.test(value))),
    'two Content-Lengths that differ': ({ ours, given }) =>
      ours.status === 502 && new Set(lengthsOf(given)).size > 1,
    'body shorter than its Content-Length': ({ ours, given: { body }, given }) =>
      ours.status === 502 && lengthsOf(given).some((length) => Number(length) > body.length),
    'local redirect': ({ given: { lines } }) =>
      lines.length === 1 && /^location:\s*\/(?!\/)/i.test(lines[0] ?? ''),
    'status line of HTTP': ({ given: { lines } }) => STATUS_LINE.test(lines[0] ?? ''),
    'folded line': ({ nginx, given: { head } }) => nginx.status === 502 && /\n[ \t]/.test(head),
  }

const HOP_BY_HOP = ['te', 'trailer', 'upgrade', 'proxy-connection']
const SINGLE = [
  'age',
  'content-disposition',
  'content-location',
  'date',
  'etag',
  'expires',
  'last-modified',
  'location',
  'retry-after',
  'server',
]

/** Kinds of fields that differ in a response that is the same otherwise. */
export const FIELD_KINDS: Readonly<
  Record<string, (name: string, difference: ResponseDifference) => boolean>
> = {
  'field of the connection': (name, { ours, given }) =>
    ours.fields[name] === undefined &&
    (HOP_BY_HOP.includes(name) ||
      valuesOf(given, 'connection').join().toLowerCase().includes(name)),
  'single field sent twice': (name, { ours, given }) =>
    SINGLE.includes(name) && String(ours.fields[name]) === valuesOf(given, name)[0],
  'empty Content-Type': (name, { nginx, given }) =>
    name === 'content-type' &&
    nginx.fields[name] === undefined &&
    valuesOf(given, name).includes(''),
  'Content-Length of a status without a body': (name, { ours }) =>
    name === 'content-length' && ours.status === 204 && ours.fields[name] === undefined,
  'empty Content-Length': (name, { nginx, given }) =>
    name === 'content-length' &&
    nginx.fields[name] === undefined &&
    valuesOf(given, name).includes(''),
}
