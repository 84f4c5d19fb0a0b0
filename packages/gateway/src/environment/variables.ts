// Variables that authorizers set by `Variable-` fields, and the names they must not set.

import { escapeControls } from '@fastcgi/client/internal'
import { paramName } from './header-params.ts'

const PREFIX = 'variable-'

/**
 * Params that no authorizer may set: those that describe the request and the client, and those that determine what PHP runs
 * and how. HTTP_* are the client's header fields (HTTP_PROXY is the httpoxy attack), REMOTE_PASSWD is for one exchange only,
 * and names such as LD_PRELOAD would change which code a program started per request runs (as by fcgiwrap).
 */
const RESERVED = new RegExp(
  `^(?:${[
    'AUTH_PASSWORD|CONTENT_(LENGTH|TYPE)|DOCUMENT_(ROOT|URI)|GATEWAY_INTERFACE|HTTPS?|HTTP_.*|ORIG_.*',
    'PATH_(INFO|TRANSLATED)|QUERY_STRING|REMOTE_(ADDR|HOST|PASSWD|PORT)|REQUEST_.*|SCRIPT_.*|SERVER_.*',
    'BALANCER_.*|FCGI_.*|REDIRECT_.*|PHP_.*|PHPRC',
    'BASH.*|ENV|IFS|LD_.*|NODE_.*|PATH|PERL.*|PYTHON.*|RUBY.*|SHELLOPTS|',
  ].join('|')})$`,
)

/** The variables that authorizers have set for a request (FastCGI 1.0 §6.3). */
export class Variables {
  /** Values by the name that the application sent; latin1, as header field values are in Node. */
  readonly values: Record<string, string> = Object.create(null)
  /** The same values by the name of the param, to be sent to the applications that handle the request next. */
  readonly params: Map<string, string> = new Map()

  /**
   * Sets a variable, replacing one of the same param. Returns false if the name is reserved or the value has control
   * characters.
   */
  set(name: string, value: string): boolean {
    const param = paramOf(name)
    if (RESERVED.test(param) || hasControls(value)) return false
    for (const known of Object.keys(this.values))
      if (paramOf(known) === param) delete this.values[known]
    this.values[name] = value
    this.params.set(param, value)
    return true
  }

  /** Sets all the variables of another object. */
  merge(other: Variables): void {
    for (const [name, value] of Object.entries(other.values)) this.set(name, value)
  }
}

/**
 * The variables in the response of an authorizer that allows a request.
 * @param all whether fields without `Variable-` are variables, too (mod_fastcgi without `-compat`).
 * @param refuse called with the name of each `Variable-` field that is refused.
 */
export function variablesOf(
  headers: readonly string[],
  all: boolean,
  refuse: (name: string) => void,
): Variables {
  // Repeated fields are joined first. Two names are the same if they become the same param.
  const joined = new Map<string, { name: string; value: string; isVariable: boolean }>()
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const field = headers[at] ?? ''
    const value = headers[at + 1] ?? ''
    const isVariable = field.toLowerCase().startsWith(PREFIX)
    if (!isVariable && !all) continue
    const name = isVariable ? field.slice(PREFIX.length) : field
    const known = joined.get(paramOf(name))
    if (known === undefined) joined.set(paramOf(name), { name, value, isVariable })
    else known.value += `, ${value}`
  }
  const variables = new Variables()
  for (const { name, value, isVariable } of joined.values())
    if (!variables.set(name, value) && isVariable) refuse(escapeControls(name))
  return variables
}

/** The param that a variable becomes. */
export function paramOf(name: string): string {
  return name.toUpperCase().replace(/[^A-Z0-9]/g, '_')
}

/**
 * Whether a header field could be mistaken for a variable: some applications read HTTP_X_USER where the variable is X_USER.
 * @param field in lower case.
 */
export function imitates(field: string, variables: Variables): boolean {
  return variables.params.has(paramName(field).slice('HTTP_'.length))
}

function hasControls(value: string): boolean {
  for (let at = 0; at < value.length; at++) {
    const code = value.charCodeAt(at)
    if (code < 0x20 || code === 0x7f) return true
  }
  return false
}
