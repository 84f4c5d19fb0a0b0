// CDN-Cache-Control (RFC 9213), a Dictionary Structured Field (RFC 8941).

import { type Directives, parseDirectives } from './directives.ts'

const KEY = '[a-z*][a-z0-9_.*-]*'
const ITEM =
  '-?\\d{1,15}(?:\\.\\d{1,3})?|"(?:[ !#-\\[\\]-~]|\\\\["\\\\])*"|\\?[01]|:[A-Za-z0-9+/=]*:|[A-Za-z*][!#-\'*+.^`|~\\w:/-]*'
const PARAMETERS = `(?:; *${KEY}(?:=(?:${ITEM}))?)*`
const MEMBER = new RegExp(`^(${KEY})(?:=(${ITEM}))?${PARAMETERS}$`)

const DURATIONS = /^(?:max-age|s-maxage|stale-while-revalidate|stale-if-error)$/

/**
 * Parses CDN-Cache-Control. Undefined for an empty or malformed field, which is to be ignored (RFC 9213 §2.1): Cache-Control
 * and Expires count then.
 */
export function parseTargeted(field: string | undefined): Directives | undefined {
  if (field === undefined) return undefined
  const members = field.split(/[ \t]*,[ \t]*/)
  const parsed = members.map((member) => MEMBER.exec(member.trim()))
  const pieces: string[] = []
  for (const match of parsed) {
    if (match === null) return undefined
    const [, name = '', value] = match
    if (DURATIONS.test(name) && !/^\d+$/.test(value ?? '')) return undefined
    if (value === '?0') continue
    pieces.push(DURATIONS.test(name) ? `${name}=${value}` : name)
  }
  return parseDirectives(pieces.join(','))
}
