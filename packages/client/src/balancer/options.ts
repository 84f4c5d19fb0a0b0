import { Resolver } from 'node:dns'
import {
  anyOf,
  type Check,
  type Checks,
  callable,
  checkOptions,
  flag,
  integer,
  listOf,
  milliseconds,
  oneOf,
  shape,
  text,
} from '../check-options.ts'
import type { Dispatcher } from '../dispatcher.ts'
import { OptionError } from '../errors.ts'
import type { BalanceHints } from '../exchange/balance-hints.ts'
import { type PoolOptions, poolChecks } from '../options.ts'
import type { DiscoverOptions } from './members/discovery.ts'

/** What an operator has decided about a member (Apache's status letters in brackets). */
export type MemberStatus =
  /** Takes requests. */
  | 'enabled'
  /** Takes none but those of sessions that belong to it (N). */
  | 'draining'
  /** Takes none (D). */
  | 'disabled'
  /** Takes none, and nothing but an operator brings it back (S). */
  | 'stopped'

/** When a member is asked at all: always, in place of a failed one (R), or when nobody else is left (H). */
export type MemberRole = 'active' | 'spare' | 'standby'

/** One member of a balancer (Apache `BalancerMember`); pool options given here are for this member alone. */
export interface MemberOptions extends PoolOptions {
  /** Where it listens, or what carries its requests. */
  address: string | Dispatcher
  /** What it is called on status pages and in logs. @default its address */
  name?: string | undefined
  /** Share of requests, relative to the others', fractions allowed (Apache `loadfactor`). @default 1 */
  weight?: number | undefined
  /** Members of a higher set are asked only when no lower one has anybody. 0 to 99 @default 0 */
  lbset?: number | undefined
  /** Name by which sessions stick to it (Apache `route`). */
  route?: string | undefined
  /** Route that takes its sessions while it cannot (Apache `redirect`). */
  redirect?: string | undefined
  /** @default 'enabled' */
  status?: MemberStatus | undefined
  /** @default 'active' */
  role?: MemberRole | undefined
  /** Most requests it is given at a time (HAProxy `maxconn`); what all members together cannot take waits for `timeout`. @default no limit */
  maxLoad?: number | undefined
  /** Failures never take it out (Apache status `I`). @default false */
  ignoreErrors?: boolean | undefined
  /** Milliseconds it stays out after failures; doubles up to a minute, if it is not longer than that itself (Apache `retry`, lighttpd `disable-time`). @default the balancer's */
  retry?: number | undefined
  /** Milliseconds over which its share grows from nothing, after it came or came back. @default the balancer's */
  slowStart?: number | undefined
}

/** Names of the balancing methods. */
export type MethodName =
  | 'byrequests'
  | 'bytraffic'
  | 'bybusyness'
  | 'heartbeat'
  | 'least-connection'
  | 'first'
  | 'round-robin'
  | 'hash'
  | 'sticky'
  | 'random-two'

/** How sessions are kept with a member. */
export interface StickySession {
  /** Cookie that holds the session id. */
  cookie: string
  /** Path parameter (`;name=value`) that holds it; looked at before the cookie. @default the same name */
  parameter?: string | undefined
  /** What stands between session id and route; false when the whole value is the route. @default '.' */
  separator?: string | false | undefined
}

/** Active health checks: a FastCGI request on an interval. Never a bare connect, which blocks one-process applications. */
export interface HealthCheckOptions {
  /** SCRIPT_NAME and SCRIPT_FILENAME to ask for, such as php-fpm's `ping.path` or `pm.status_path`. */
  path: string
  /** Milliseconds between checks. @default 30000 */
  interval?: number | undefined
  /** Milliseconds a check may take. @default 5000 */
  timeout?: number | undefined
  /** Successes that bring a member back. @default 1 */
  passes?: number | undefined
  /** Failures that take a member out. @default 1 */
  fails?: number | undefined
  /** Statuses that pass. @default [200] */
  status?: readonly number[] | undefined
  /** What the body must contain. */
  body?: string | RegExp | undefined
  /** More params. */
  params?: Readonly<Record<string, string>> | undefined
}

/** Options of a balancer; pool options are defaults of its members. */
export interface BalancerOptions extends PoolOptions {
  /** Addresses, or members in full. @default none, where `discover` finds them */
  members?: ReadonlyArray<string | MemberOptions> | undefined
  /** Its name, sent as BALANCER_NAME. @default 'default' */
  name?: string | undefined
  /** Who takes the next request (Apache `lbmethod`, lighttpd `fastcgi.balance`). @default 'least-connection' */
  method?: MethodName | undefined
  /** Key of the method `hash`. @default the path of the request */
  key?: ((hints: BalanceHints) => string) | undefined
  /** Keeps sessions with their member: `'NAME'`, `'cookie|parameter'` as Apache writes it, or an object. */
  stickySession?: string | StickySession | undefined
  /** A session whose member cannot take it is refused instead of moved. @default false */
  nofailover?: boolean | undefined
  /** Members tried for one request (Apache `maxattempts`). @default all of them */
  maxAttempts?: number | undefined
  /** Statuses that take a member out (Apache `failonstatus`). @default none */
  failOnStatus?: readonly number[] | undefined
  /** When all members are out, try them all rather than wait (Apache `forcerecovery`). @default true */
  forceRecovery?: boolean | undefined
  /** Milliseconds a request waits for a member while there is none to take it (Apache `timeout`). @default 0 */
  timeout?: number | undefined
  /** Milliseconds a member stays out after its failures. @default 10000 */
  retry?: number | undefined
  /** So many failures within `failureWindow` take a member out. @default 3 */
  maxFailures?: number | undefined
  /** Milliseconds failures are remembered; 0 for ever. @default 10000 */
  failureWindow?: number | undefined
  /** Milliseconds over which the share of a new or recovered member grows. @default 0 */
  slowStart?: number | undefined
  /** Bytes of a request body that are kept so that another member can be tried. @default 65536 */
  replayBuffer?: number | undefined
  /** Most requests under way and waiting, over all members; more fail at once. @default no limit */
  maxRequestsInFlight?: number | undefined
  healthCheck?: HealthCheckOptions | undefined
  /** Members from DNS, beside those that are named: added, changed and drained as its records change. */
  discover?: DiscoverOptions | undefined
}

const number =
  (what: string, test: (value: number) => boolean): Check =>
  (value) =>
    typeof value === 'number' && test(value) ? undefined : what

const weight = number('a number over 0, up to 100', (value) => value > 0 && value <= 100)
const statuses = listOf(integer(100, 999))

/** An object that passes and has a name which is not optional. */
const having =
  (name: string, check: Check): Check =>
  (value) =>
    check(value) ??
    ((value as Record<string, unknown>)[name] === undefined ? `an object with ${name}` : undefined)

/** `'NAME'`, or Apache's `'cookie|parameter'`. */
const sessionNames: Check = (value) =>
  typeof value === 'string' && /^[^|]+(\|[^|]+)?$/.test(value)
    ? undefined
    : "a name, or two as 'cookie|parameter'"

const discoverName: Check = (value) => {
  const [, host, port = ''] = /^(?!srv:)(.+):(\d{1,5})$/.exec(String(value)) ?? []
  const right =
    typeof value === 'string' &&
    (/^srv:[^:]+$/.test(value) || (host !== undefined && +port >= 1 && +port <= 65_535))
  return right ? undefined : "'host:port' or 'srv:_service._tcp.domain'"
}

const nameServers: Check = (value) => {
  try {
    new Resolver().setServers(value as string[])
    return (value as string[]).length > 0 ? undefined : 'an array of one at least'
  } catch {
    return "an array of 'address' or 'address:port'"
  }
}

/** Checks of what can be changed about a member while it runs. */
export const memberChangeChecks: Checks = {
  weight,
  lbset: integer(0, 99),
  route: text,
  redirect: text,
  status: oneOf('enabled', 'draining', 'disabled', 'stopped'),
  role: oneOf('active', 'spare', 'standby'),
  ignoreErrors: flag,
  retry: milliseconds,
  slowStart: milliseconds,
}

const memberChecks: Checks = {
  ...poolChecks,
  ...memberChangeChecks,
  name: text,
  maxLoad: integer(1),
  address: (value) =>
    typeof value === 'string' || isDispatcher(value)
      ? undefined
      : "an address such as 'fcgi://10.0.0.1:9000', or a dispatcher",
}

const healthCheckShape = shape({
  path: text,
  interval: integer(1),
  timeout: integer(1),
  passes: integer(1),
  fails: integer(1),
  status: statuses,
  body: anyOf(text, (value) => (value instanceof RegExp ? undefined : 'a regular expression')),
  params: (value) => (typeof value === 'object' && value !== null ? undefined : 'an object'),
})

const balancerChecks: Checks = {
  ...poolChecks,
  members: (value) => (Array.isArray(value) ? undefined : 'an array of addresses or members'),
  name: text,
  method: oneOf(
    'byrequests',
    'bytraffic',
    'bybusyness',
    'heartbeat',
    'least-connection',
    'first',
    'round-robin',
    'hash',
    'sticky',
    'random-two',
  ),
  key: callable,
  stickySession: anyOf(
    sessionNames,
    having(
      'cookie',
      shape({ cookie: text, parameter: text, separator: anyOf(oneOf(false), text) }),
    ),
  ),
  nofailover: flag,
  maxAttempts: integer(1),
  failOnStatus: statuses,
  forceRecovery: flag,
  timeout: milliseconds,
  retry: milliseconds,
  maxFailures: integer(1),
  failureWindow: milliseconds,
  slowStart: milliseconds,
  replayBuffer: integer(0),
  maxRequestsInFlight: integer(1),
  healthCheck: having('path', healthCheckShape),
  discover: having(
    'name',
    shape({
      name: discoverName,
      interval: integer(1),
      grace: milliseconds,
      servers: nameServers,
    }),
  ),
}

/** @throws OptionError */
export function checkBalancerOptions(options: BalancerOptions): void {
  checkOptions('Balancer', options, balancerChecks)
  if (options.members === undefined && options.discover === undefined)
    throw new OptionError('Balancer: option members is missing; name some, or set discover')
}

/** @throws OptionError */
export function checkMemberOptions(options: MemberOptions): void {
  checkOptions('Balancer member', options, memberChecks)
  if (options.address === undefined)
    throw new OptionError('Balancer member: option address is missing')
}

function isDispatcher(value: unknown): value is Dispatcher {
  return typeof (value as Dispatcher | null)?.dispatch === 'function'
}
