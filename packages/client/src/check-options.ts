import { OptionError } from './errors.ts'

/** Says what a value has to be, or undefined when it is fine. */
export type Check = (value: unknown) => string | undefined

/** One check per known option name. */
export type Checks = Readonly<Record<string, Check>>

const expect =
  (what: string, test: (value: unknown) => boolean): Check =>
  (value) =>
    test(value) ? undefined : what

/** A whole number between two bounds. */
export function integer(least: number, most: number = Number.MAX_SAFE_INTEGER): Check {
  const bounds = most === Number.MAX_SAFE_INTEGER ? `${least} or more` : `${least} to ${most}`
  return expect(
    `a whole number, ${bounds}`,
    (value) =>
      Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most,
  )
}

// setTimeout fires at once for more than this.
const MAX_TIMER = 2_147_483_647

/** Milliseconds, 0 for no limit. */
export const milliseconds: Check = expect(
  'milliseconds: a number from 0 (no limit) to 2147483647',
  (value) => typeof value === 'number' && value >= 0 && value <= MAX_TIMER,
)
/** true or false. */
export const flag: Check = expect('true or false', (value) => typeof value === 'boolean')
/** A string that is not empty. */
export const text: Check = expect(
  'a string that is not empty',
  (value) => typeof value === 'string' && value !== '',
)
/** A function. */
export const callable: Check = expect('a function', (value) => typeof value === 'function')

/** One of the given values. */
export function oneOf(...values: unknown[]): Check {
  return expect(`one of ${values.map((value) => JSON.stringify(value)).join(', ')}`, (value) =>
    values.includes(value),
  )
}

/** Passes when any of the checks does. */
export function anyOf(...checks: Check[]): Check {
  return (value) => {
    const wanted = checks.map((check) => check(value))
    return wanted.includes(undefined) ? undefined : wanted.join(', or ')
  }
}

/** An array whose items all pass. */
export function listOf(check: Check): Check {
  return (value) => {
    if (!Array.isArray(value)) return 'an array'
    const wrong = value.map((item) => check(item)).find((wanted) => wanted !== undefined)
    return wrong === undefined ? undefined : `an array, each item ${wrong}`
  }
}

/** An object whose values pass by name. */
export function shape(checks: Checks): Check {
  return (value) => {
    if (typeof value !== 'object' || value === null) return 'an object'
    for (const [name, item] of Object.entries(value)) {
      const check = Object.hasOwn(checks, name) ? checks[name] : undefined
      if (check === undefined)
        return `an object with ${Object.keys(checks).join(', ')}; not ${name}`
      const wanted = item === undefined ? undefined : check(item)
      if (wanted !== undefined) return `an object whose ${name} is ${wanted}`
    }
    return undefined
  }
}

/** What options of the original servers are called here. */
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
 * Checks an options object once, where it is given; it is not changed.
 * @param where whose options these are, for the message.
 * @throws OptionError that names the option, the value and what it can be.
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
  return newName === undefined
    ? `unknown option ${name}; there are ${Object.keys(checks).join(', ')}`
    : `unknown option ${name}; here it is ${newName}`
}

function show(value: unknown): string {
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'bigint') return `${value}n`
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}
