/**
 * A FastCGI client: addresses, connections, a pool that is fair to php-fpm, typed errors.
 * @packageDocumentation
 */
export { FastCGIError, ParamsTooLargeError, ProtocolError } from '@fastcgi/protocol'
export { type Address, parseAddress } from './address.ts'
export { Balancer } from './balancer/balancer.ts'
export type { DiscoverOptions } from './balancer/discovery.ts'
export type { BalanceHints } from './balancer/hints.ts'
export { BUCKETS, Histogram } from './balancer/histogram.ts'
export { Member, type MemberCounters } from './balancer/member.ts'
export type { MemberChange, MemberEvent } from './balancer/member-list.ts'
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
export type { Waiting } from './balancer/waiting-room.ts'
export { BaseDispatcher } from './base-dispatcher.ts'
export {
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
} from './check-options.ts'
export { FastCGIClient } from './client.ts'
export type { ExchangeEvent } from './diagnostics.ts'
export type {
  Attempt,
  DispatchControl,
  Dispatcher,
  DispatcherStats,
  DispatchHandler,
  FastCGIRequest,
  ParamsInit,
  Timeouts,
} from './dispatcher.ts'
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
export type { FilterData } from './filter-data.ts'
export { ForwardingHandler } from './forwarding-handler.ts'
export type { ApplicationValues } from './multiplexing.ts'
export { type PoolOptions, poolChecks } from './options.ts'
export { Pool } from './pool.ts'
export { FastCGIResponse, ResponseBody } from './response.ts'
export { IDEMPOTENT_METHODS } from './retry.ts'
export { escapeControls, StderrLines } from './stderr-lines.ts'
export { type ResolvedUpstream, resolveUpstream, type Upstream } from './upstream.ts'
export type { GetValuesOptions } from './values-queries.ts'
