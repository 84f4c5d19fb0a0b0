// Options of balancers and members: types and checks.
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

/** Administrative status of a member (Apache's status letter in brackets). */
export type MemberStatus =
  /** It receives requests. */
  | 'enabled'
  /** It receives only requests of its own sessions (N). */
  | 'draining'
  /** It receives no requests (D). */
  | 'disabled'
  /** It receives no requests (S). */
  | 'stopped'

/**
 * When a member is used: always (`active`), in place of an unavailable active one (`spare`, Apache status `R`), or when
 * no active member and no spare is available (`standby`, Apache status `H`).
 */
export type MemberRole = 'active' | 'spare' | 'standby'

/** One member of a balancer (Apache `BalancerMember`). Pool options apply to this member only. */
export interface MemberOptions extends PoolOptions {
  /** Address of the application (see {@link parseAddress}), or a dispatcher, which the balancer does not close. */
  address: string | Dispatcher
  /** Unique name, on status pages and in messages. @default the address; `'member'` for a dispatcher */
  name?: string | undefined
  /** Share of the requests relative to other members, over 0 and up to 100 (Apache `loadfactor`). @default 1 */
  weight?: number | undefined
  /** Set, 0 to 99; members of a set are used only when no lower set has an available member. @default 0 */
  lbset?: number | undefined
  /** Route that session ids contain to select this member (Apache `route`). @default none */
  route?: string | undefined
  /** Route of the member that receives its sessions while it is unavailable (Apache `redirect`). @default none */
  redirect?: string | undefined
  /** Administrative status. @default 'enabled' */
  status?: MemberStatus | undefined
  /** When the member is used. @default 'active' */
  role?: MemberRole | undefined
  /**
   * Maximum number of active requests on this member (HAProxy `maxconn`). When all members have reached it, requests
   * wait for the balancer's `timeout`. @default no limit
   */
  maxLoad?: number | undefined
  /** Whether failures never make it unavailable (Apache status `I`). @default false */
  ignoreErrors?: boolean | undefined
  /**
   * Milliseconds for which failures make it unavailable (Apache `retry`, lighttpd `disable-time`). It doubles with each
   * failed probe, up to 60000 or this value, if that is larger. @default the balancer's
   */
  retry?: number | undefined
  /** Milliseconds over which its share grows from 1 % after it was added or has recovered. @default the balancer's */
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

/** Where the route of a session is found (Apache `stickysession`). */
export interface StickySession {
  /** Name of the cookie that contains the session id. */
  cookie: string
  /** Name of the path parameter (`;name=value`) that contains it, read before the cookie. @default that of the cookie */
  parameter?: string | undefined
  /** Text between session id and route; false if the whole value is the route (`stickysessionsep`). @default '.' */
  separator?: string | false | undefined
}

/**
 * Active health checks: a FastCGI request at an interval. Connecting alone would not be enough, and would block an
 * application with a single process.
 */
export interface HealthCheckOptions {
  /** SCRIPT_NAME and SCRIPT_FILENAME of the request, for instance php-fpm's `ping.path` or `pm.status_path`. */
  path: string
  /** Milliseconds between checks. @default 30000 */
  interval?: number | undefined
  /** Maximum duration of a check in milliseconds. @default 5000 */
  timeout?: number | undefined
  /** Number of consecutive successes that make a member available (Apache `hcpasses`). @default 1 */
  passes?: number | undefined
  /** Number of consecutive failures that make a member unavailable (Apache `hcfails`). @default 1 */
  fails?: number | undefined
  /** Status codes that count as success. @default [200] */
  status?: readonly number[] | undefined
  /** Text or pattern that the first 64 KiB of the body, decoded as latin1, must contain. @default none */
  body?: string | RegExp | undefined
  /** Further params of the request. @default none */
  params?: Readonly<Record<string, string>> | undefined
}

/** Options of a {@link Balancer}. Pool options are defaults for all members. Durations are in milliseconds. */
export interface BalancerOptions extends PoolOptions {
  /** Addresses, or members with options. Required unless `discover` is set. @default none */
  members?: ReadonlyArray<string | MemberOptions> | undefined
  /** Name of the balancer, sent as BALANCER_NAME. @default 'default' */
  name?: string | undefined
  /** Balancing method (Apache `lbmethod`, lighttpd `fastcgi.balance`). @default 'least-connection' */
  method?: MethodName | undefined
  /** Returns the key for the method `hash`. @default the path of the request */
  key?: ((hints: BalanceHints) => string) | undefined
  /** Enables sticky sessions: `'NAME'`, Apache's `'cookie|parameter'`, or an object. @default none */
  stickySession?: string | StickySession | undefined
  /** Whether a session fails when its member is unavailable, instead of being sent to another one. @default false */
  nofailover?: boolean | undefined
  /** Maximum number of members that one request is sent to (Apache `maxattempts`). @default all members */
  maxAttempts?: number | undefined
  /** Status codes that make a member unavailable (Apache `failonstatus`). @default none */
  failOnStatus?: readonly number[] | undefined
  /** Whether failed members are used when no other is available (Apache `forcerecovery`). @default true */
  forceRecovery?: boolean | undefined
  /** How long a request waits for an available member (Apache `timeout`). @default 0 */
  timeout?: number | undefined
  /** How long failures make a member unavailable; see {@link MemberOptions.retry}. @default 10000 */
  retry?: number | undefined
  /** Number of failures within `failureWindow` that make a member unavailable (nginx `max_fails`). @default 3 */
  maxFailures?: number | undefined
  /** How long failures are counted; 0 for no limit (nginx `fail_timeout`). @default 10000 */
  failureWindow?: number | undefined
  /** How long the share of a new or recovered member grows (nginx `slow_start`). @default 0 */
  slowStart?: number | undefined
  /**
   * Maximum length in bytes of a body stream that is read into memory before the first attempt, so that the request can
   * be sent to another member. It must have a `bodyLength`. @default 65536
   */
  replayBuffer?: number | undefined
  /** Maximum number of active and waiting requests of all members; others fail at once. @default no limit */
  maxRequestsInFlight?: number | undefined
  /** Active health checks. @default none */
  healthCheck?: HealthCheckOptions | undefined
  /** Discovers further members by DNS: adds, changes and removes them as the records change. @default none */
  discover?: DiscoverOptions | undefined
}

const number =
  (what: string, test: (value: number) => boolean): Check =>
  (value) =>
    typeof value === 'number' && test(value) ? undefined : what

const weight = number('a number over 0, up to 100', (value) => value > 0 && value <= 100)
const statuses = listOf(integer(100, 999))

/** Accepts what `check` accepts, if it has the required property `name`. */
const having =
  (name: string, check: Check): Check =>
  (value) =>
    check(value) ??
    ((value as Record<string, unknown>)[name] === undefined ? `an object with ${name}` : undefined)

/** Accepts `'NAME'` and Apache's `'cookie|parameter'`. */
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

/** Checks of the options that `Balancer.update()` can change. */
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

/** Validates the options of a balancer; members are validated when they are added. @throws OptionError */
export function checkBalancerOptions(options: BalancerOptions): void {
  checkOptions('Balancer', options, balancerChecks)
  if (options.members === undefined && options.discover === undefined)
    throw new OptionError(
      'Balancer: option members is missing; list members, or set the option discover',
    )
}

/** Validates the options of a member. @throws OptionError */
export function checkMemberOptions(options: MemberOptions): void {
  checkOptions('Balancer member', options, memberChecks)
  if (options.address === undefined)
    throw new OptionError('Balancer member: option address is missing')
}

function isDispatcher(value: unknown): value is Dispatcher {
  return typeof (value as Dispatcher | null)?.dispatch === 'function'
}
