/**
 * What other packages of this project share with the client. Private: it changes with any version, without notice.
 * @packageDocumentation
 */

// Latency histograms of balancer members, for the status page.
export { BUCKETS, Histogram } from './balancer/members/histogram.ts'
// Base classes of dispatchers and of handlers that wrap another one.
export { BaseDispatcher } from './base-dispatcher.ts'
// Checks of options.
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
export { ForwardingHandler } from './exchange/forwarding-handler.ts'
// Lines of STDERR and of the output of processes.
export { escapeControls, StderrLines } from './exchange/stderr-lines.ts'
export { poolChecks } from './options.ts'
