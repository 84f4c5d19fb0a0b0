/**
 * Code that the client shares with other packages of this project. Private: any version may change it without notice.
 * @packageDocumentation
 */

// Base classes of dispatchers and of handlers that wrap another one.
export { BaseDispatcher } from './base-dispatcher.ts'
// Calls of functions that the user gives.
export { callSafely, reportThrown } from './callbacks.ts'
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
// The errors of connections that could not be opened.
export { connectError } from './connection/connection-errors.ts'
export { publish } from './diagnostics.ts'
export { systemCode } from './errors.ts'
// What has happened lately, for the status page.
export { EventLog, MAX_EVENTS } from './events.ts'
// Counters and latency of an application, for the status page.
export { Figures } from './exchange/figures.ts'
export { ForwardingHandler } from './exchange/forwarding-handler.ts'
export { tellError } from './exchange/handler-errors.ts'
export { BUCKETS, Histogram, quantileOf } from './exchange/histogram.ts'
// Lines of STDERR and of the output of processes.
export { escapeControls, StderrLines } from './exchange/stderr-lines.ts'
// Loggers.
export { containedLogger, type Logger } from './logger.ts'
export { poolChecks, timeoutChecks } from './options.ts'
// Suggestions for names that are wrong.
export { similarName } from './similar-name.ts'
