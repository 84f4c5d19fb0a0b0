// Validation of option objects: one check per option, and errors that name the option, the value and what is allowed.
import { OptionError } from './errors.ts'
import { similarName } from './similar-name.ts'

/** Validates a value: returns undefined when it is valid, else a description of valid values for the message. */
export type Check = (value: unknown) => string | undefined

/** The known option names, each with its check. */
export type Checks = Readonly<Record<string, Check>>

const expect =
  (what: string, test: (value: unknown) => boolean): Check =>
  (value) =>
    test(value) ? undefined : what

/** Accepts an integer from `least` to `most`, both included. */
export function integer(least: number, most: number = Number.MAX_SAFE_INTEGER): Check {
  const bounds = most === Number.MAX_SAFE_INTEGER ? `${least} or more` : `${least} to ${most}`
  return expect(
    `a whole number, ${bounds}`,
    (value) =>
      Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most,
  )
}

// setTimeout() fires after 1 ms when the delay is larger than this.
const MAX_TIMER = 2_147_483_647

/** Accepts a duration in milliseconds, 0 to 2147483647; 0 means no limit. */
export const milliseconds: Check = expect(
  'milliseconds: a number from 0 (no limit) to 2147483647',
  (value) => typeof value === 'number' && value >= 0 && value <= MAX_TIMER,
)
/** Accepts true and false. */
export const flag: Check = expect('true or false', (value) => typeof value === 'boolean')
/** Accepts a non-empty string. */
export const text: Check = expect(
  'a string that is not empty',
  (value) => typeof value === 'string' && value !== '',
)
/** Accepts a function. */
export const callable: Check = expect('a function', (value) => typeof value === 'function')

/** Accepts one of the given values. */
export function oneOf(...values: unknown[]): Check {
  return expect(`one of ${values.map((value) => JSON.stringify(value)).join(', ')}`, (value) =>
    values.includes(value),
  )
}

/** Accepts what at least one of the checks accepts. */
export function anyOf(...checks: Check[]): Check {
  return (value) => {
    const wanted = checks.map((check) => check(value))
    return wanted.includes(undefined) ? undefined : wanted.join(', or ')
  }
}

/** Accepts an array whose items all pass the check. */
export function listOf(check: Check): Check {
  return (value) => {
    if (!Array.isArray(value)) return 'an array'
    const wrong = value.map((item) => check(item)).find((wanted) => wanted !== undefined)
    return wrong === undefined ? undefined : `an array, each item ${wrong}`
  }
}

/** Accepts an object with known property names whose values pass their checks. Undefined values are not checked. */
export function shape(checks: Checks): Check {
  return (value) => {
    if (typeof value !== 'object' || value === null) return 'an object'
    for (const [name, item] of Object.entries(value)) {
      const check = Object.hasOwn(checks, name) ? checks[name] : undefined
      if (check === undefined)
        return `an object with ${Object.keys(checks).join(', ')}; not ${name}${didYouMean(name, checks)}`
      const wanted = item === undefined ? undefined : check(item)
      if (wanted !== undefined) return `an object whose ${name} is ${wanted}`
    }
    return undefined
  }
}

/** Option names of Apache, lighttpd, Caddy and others, and the name of the corresponding option in these packages. */
const RENAMED_OPTIONS: Readonly<Record<string, string>> = {
  enablereuse: 'reuse',
  disablereuse: 'reuse: false',
  keepConn: 'reuse',
  keepAlive: 'reuse',
  max: 'maxConnections',
  min: 'minConnections',
  smax: 'softMaxConnections',
  ttl: 'idleTimeout',
  acquire: 'queueTimeout',
  connectionTimeout: 'timeouts: { connect }',
  appConnTimeout: 'timeouts: { connect }',
  connectTimeout: 'timeouts: { connect }',
  readTimeout: 'timeouts: { head, idle }',
  timeout: 'timeouts: { head, idle }',
  docroot: 'root or remoteRoot',
  documentRoot: 'root',
  host: 'upstream',
  socket: 'upstream',
  address: 'upstream',
  params: 'env',
  fastcgiParams: 'env',
  passHeader: 'passHeaders',
  hideHeader: 'responseHeaders: { hide }',
  hideHeaders: 'responseHeaders: { hide }',
  addHeader: 'responseHeaders: { set }',
  addHeaders: 'responseHeaders: { set }',
  ignoreHeaders: 'responseHeaders: { ignore }',
  errorOverride: 'interceptErrors',
  allowXSendFile: 'sendfile',
  binPath: 'command',
  binEnvironment: 'env',
  binCopyEnvironment: 'copyEnv',
  initialEnv: 'env, or copyEnv for what this process has',
  maxProcs: 'maxProcesses',
  minProcs: 'minProcesses',
  maxLoadPerProc: 'maxLoadPerProcess',
  listenBacklog: 'listenQueueDepth',
  backlog: 'listenQueueDepth',
  singleThreshhold: 'singleThreshold',
  multiThreshhold: 'multiThreshold',
}

/**
 * Validates an options object. Called once, when the options are given. The object is not modified.
 * @param where the function or class that the options are for, which the message begins with.
 * @throws OptionError that names the option, its value and the valid values. For an option name of another server it
 * names the corresponding option.
 */
export function checkOptions(where: string, given: unknown, checks: Checks): void {
  if (typeof given !== 'object' || given === null)
    throw new OptionError(`${where}: options must be an object, got ${show(given)}`)
  for (const [name, value] of Object.entries(given)) {
    const check = Object.hasOwn(checks, name) ? checks[name] : undefined
    if (check === undefined) throw new OptionError(`${where}: ${describeUnknown(name, checks)}`)
    const wanted = value === undefined ? undefined : check(value)
    if (wanted !== undefined)
      throw new OptionError(`${where}: option ${name} must be ${wanted}; got ${show(value)}`)
  }
}

function describeUnknown(name: string, checks: Checks): string {
  const newName = Object.hasOwn(RENAMED_OPTIONS, name) ? RENAMED_OPTIONS[name] : undefined
  if (newName !== undefined) return `unknown option ${name}; here it is ${newName}`
  const meant = similarName(name, Object.keys(checks))
  return meant === undefined
    ? `unknown option ${name}; there are ${Object.keys(checks).join(', ')}`
    : `unknown option ${name}; did you mean ${meant}?`
}

function didYouMean(name: string, checks: Checks): string {
  const meant = similarName(name, Object.keys(checks))
  return meant === undefined ? '' : ` (did you mean ${meant}?)`
}

function show(value: unknown): string {
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'bigint') return `${value}n`
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}
