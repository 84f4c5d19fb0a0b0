import { escapeControls } from '@fastcgi/client/internal'
import { paramName } from './header-params.ts'

const PREFIX = 'variable-'

/**
 * Params that no guard may set: they say what is asked, by whom, and what PHP is to run and how. HTTP_* are the client's
 * headers (and HTTP_PROXY is an attack), REMOTE_PASSWD is for one exchange only, and some would have a program that is
 * started for the request, as by fcgiwrap, run something else.
 */
const RESERVED = new RegExp(
  `^(?:${[
    'AUTH_PASSWORD|CONTENT_(LENGTH|TYPE)|DOCUMENT_(ROOT|URI)|GATEWAY_INTERFACE|HTTPS?|HTTP_.*|ORIG_.*',
    'PATH_(INFO|TRANSLATED)|QUERY_STRING|REMOTE_(ADDR|HOST|PASSWD|PORT)|REQUEST_.*|SCRIPT_.*|SERVER_.*',
    'BALANCER_.*|FCGI_.*|REDIRECT_.*|PHP_.*|PHPRC',
    'BASH.*|ENV|IFS|LD_.*|NODE_.*|PATH|PERL.*|PYTHON.*|RUBY.*|SHELLOPTS|',
  ].join('|')})$`,
)

/** What guards said of a request: `Variable-` fields of their answers (FastCGI 1.0 §6.3). */
export class Variables {
  /** Values by the name that the application sent; latin1, as values of header fields are in Node. */
  readonly values: Record<string, string> = Object.create(null)
  /** The same for later exchanges: by the name of the param. */
  readonly params: Map<string, string> = new Map()

  /** Sets one, in place of what an earlier guard said. False for a name that guards must not set. */
  set(name: string, value: string): boolean {
    const param = paramOf(name)
    if (RESERVED.test(param) || hasControls(value)) return false
    for (const known of Object.keys(this.values))
      if (paramOf(known) === param) delete this.values[known]
    this.values[name] = value
    this.params.set(param, value)
    return true
  }

  /** Takes over everything from another. */
  merge(other: Variables): void {
    for (const [name, value] of Object.entries(other.values)) this.set(name, value)
  }
}

/**
 * The variables of an answer that allows.
 * @param all whether other fields are variables, too (mod_fastcgi without `-compat`).
 * @param refuse called with the name of each `Variable-` that is not let through.
 */
export function variablesOf(
  headers: readonly string[],
  all: boolean,
  refuse: (name: string) => void,
): Variables {
  // Repeats are joined before anything is set: names count as the same if their params are.
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

/** The lower-case header field that could pass itself off as a variable: `X_USER` is asked for as HTTP_X_USER by some. */
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
