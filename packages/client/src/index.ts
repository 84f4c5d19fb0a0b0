/**
 * A FastCGI client: addresses, connection pools, balancers and typed errors.
 * @packageDocumentation
 */

// Errors of the protocol, which this package throws, too.
export {
  FastCGIError,
  type FastCGIErrorOptions,
  ParamsTooLargeError,
  ProtocolError,
  VersionError,
} from '@fastcgi/protocol'
// Addresses of applications.
export { type Address, parseAddress } from './address.ts'
// Balancers: members, health, discovery, methods.
export { Balancer } from './balancer/balancer.ts'
export type { DiscoverOptions } from './balancer/members/discovery.ts'
export { Member, type MemberCounters } from './balancer/members/member.ts'
export type { MemberChange, MemberEvent } from './balancer/members/member-list.ts'
export type { Heartbeat } from './balancer/methods/heartbeat.ts'
export type {
  BalancerOptions,
  HealthCheckOptions,
  MemberOptions,
  MemberRole,
  MemberStatus,
  MethodName,
  StickySession,
} from './balancer/options.ts'
export type { Waiting } from './balancer/pending-requests.ts'
// The client: requests to an address, a list of members, or any dispatcher.
export { FastCGIClient } from './client.ts'
// The interface that clients, pools, balancers and process managers have in common.
export type {
  Dispatcher,
  DispatcherStats,
  LearnedLimit,
  ScriptAfterWork,
} from './dispatcher.ts'
// Errors of the client; each has a `code`.
export {
  AbortedError,
  ClosedError,
  ConnectError,
  ConnectTimeoutError,
  OptionError,
  OverloadedError,
  PrematureCloseError,
  RequestBodyError,
  type RequestBodyErrorCode,
  SlowReaderError,
  TimeoutError,
  type TimeoutPhase,
} from './errors.ts'
// What has happened to applications lately, and what they have done.
export type { DispatcherEvent, EventKind } from './events.ts'
// Requests and responses.
export type { BalanceHints } from './exchange/balance-hints.ts'
export type { Figures, LastError } from './exchange/figures.ts'
export type {
  Attempt,
  AttemptEvent,
  DispatchControl,
  DispatchHandler,
} from './exchange/handler.ts'
export type { FastCGIRequest, FilterData, ParamsInit } from './exchange/request.ts'
export { FastCGIResponse, ResponseBody } from './exchange/response.ts'
export { IDEMPOTENT_METHODS } from './exchange/retry.ts'
export type { ExchangeEvent } from './exchange/tracing.ts'
// Pools: the connections to one address, and the values that an application reports.
export type { PoolOptions, Timeouts, TLSOptions } from './options.ts'
export type { ApplicationValues } from './pool/multiplexing.ts'
export { Pool } from './pool/pool.ts'
export type { GetValuesOptions } from './pool/values-queries.ts'
// The processes of a process manager.
export type { ProcessFigures, ProcessState } from './processes.ts'
// Resolution of the option `upstream`.
export { type ResolvedUpstream, resolveUpstream, type Upstream } from './upstream.ts'
