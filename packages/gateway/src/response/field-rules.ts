// The options `responseHeaders` and `interceptErrors`: what of an application's response reaches the client.

import {
  anyOf,
  type Check,
  type Checks,
  flag,
  integer,
  listOf,
  shape,
} from '@fastcgi/client/internal'
import { onlyFields, withoutFields } from './field-list.ts'

/** Rules for the fields of an application's response. Names are compared without case. */
export interface ResponseHeaderOptions {
  /**
   * Fields that do not reach the client, such as `'X-Powered-By'` (nginx `fastcgi_hide_header`). The gateway still acts on
   * them. @default none
   */
  hide?: readonly string[] | undefined
  /**
   * Fields to send with every response of the application, whatever its status, in place of its own of that name (Apache
   * `Header always set`, nginx `add_header … always` with `fastcgi_hide_header`). @default none
   */
  set?: Readonly<Record<string, string>> | undefined
  /**
   * Fields that the gateway does not act on (nginx `fastcgi_ignore_headers`): `x-accel-buffering`, `x-accel-redirect`,
   * `x-sendfile`, `x-sendfile2`, `x-lighttpd-send-file`. They do not reach the client either. @default none
   */
  ignore?: readonly string[] | undefined
}

/** The option `responseHeaders`, compiled. Names are in lower case. */
export interface FieldRules {
  /** Fields of the application that are not passed on, those that are replaced included. */
  readonly hidden: ReadonlySet<string>
  readonly ignored: ReadonlySet<string>
  /** Fields to add: name, value, name, value… */
  readonly added: readonly string[]
}

/** Compiles the option; undefined without rules. */
export function fieldRules(option: ResponseHeaderOptions | undefined): FieldRules | undefined {
  if (option === undefined) return undefined
  const { hide = [], set = {}, ignore = [] } = option
  const lower = (name: string): string => name.toLowerCase()
  return {
    hidden: new Set([...hide, ...Object.keys(set)].map(lower)),
    ignored: new Set(ignore.map(lower)),
    added: Object.entries(set).flat(),
  }
}

/** The fields of a response with those of the rules in place of its own. */
export function withAddedFields(flat: readonly string[], rules: FieldRules | undefined): string[] {
  if (rules === undefined || rules.added.length === 0) return [...flat]
  const names = new Set(
    rules.added.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase()),
  )
  return [...withoutFields(flat, names), ...rules.added]
}

/** The option `interceptErrors`: whether a status of the application becomes an error of the framework. */
export type InterceptErrors = boolean | readonly number[]

/** Compiles the option; undefined if no status is intercepted. */
export function interception(
  option: InterceptErrors | undefined,
): ((status: number) => boolean) | undefined {
  if (option === true) return (status) => status >= 400
  if (option === undefined || option === false || option.length === 0) return undefined
  const statuses = new Set(option)
  return (status) => statuses.has(status)
}

/** Fields without which a status of an error says too little (RFC 9110 §10.2.1, §10.2.3, §11.6.1, §11.7.1, §14.4). */
const NEEDED_WITH_ERRORS: ReadonlySet<string> = new Set([
  'allow',
  'content-range',
  'proxy-authenticate',
  'retry-after',
  'www-authenticate',
])

/** The fields that an error in place of an application's response keeps. Values of a repeated one are joined by commas. */
export function errorFields(flat: readonly string[]): Record<string, string> {
  const kept: Record<string, string> = {}
  const fields = onlyFields(flat, NEEDED_WITH_ERRORS)
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const name = fields[at]?.toLowerCase() ?? ''
    kept[name] = kept[name] === undefined ? `${fields[at + 1]}` : `${kept[name]}, ${fields[at + 1]}`
  }
  return kept
}

const IGNORABLE: ReadonlySet<string> = new Set([
  'x-accel-buffering',
  'x-accel-redirect',
  'x-lighttpd-send-file',
  'x-sendfile',
  'x-sendfile2',
])

/** Fields that belong to the connection, or that the gateway makes of the body. */
const NOT_SETTABLE: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'keep-alive',
  'proxy-connection',
  'status',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

const isFieldName = (value: unknown): value is string =>
  typeof value === 'string' && /^[\w!#$%&'*+.^`|~-]+$/.test(value)

const fieldName: Check = (value) =>
  isFieldName(value) ? undefined : "the name of a field, such as 'X-Powered-By'"

const ignorable: Check = (value) =>
  typeof value === 'string' && IGNORABLE.has(value.toLowerCase())
    ? undefined
    : `one of ${[...IGNORABLE].join(', ')}`

/** A name and value that node:http takes, and that do not change where the response ends. */
const isSettable = ([name, value]: [string, unknown]): boolean =>
  isFieldName(name) &&
  !NOT_SETTABLE.has(name.toLowerCase()) &&
  typeof value === 'string' &&
  /^[\t\x20-\x7e\x80-\xff]*$/.test(value)

const settable: Check = (value) =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  Object.entries(value).every(isSettable)
    ? undefined
    : 'an object of fields, each a string in ISO-8859-1 without control characters, and none of ' +
      [...NOT_SETTABLE].join(', ')

/** Checks of the options of this file. */
export const responseChecks: Checks = {
  responseHeaders: shape({ hide: listOf(fieldName), set: settable, ignore: listOf(ignorable) }),
  interceptErrors: anyOf(flag, listOf(integer(400, 599))),
}
