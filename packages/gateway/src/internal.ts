/**
 * Functions that this project's adapters share with the gateway. Private to this project: any release may change them.
 * @packageDocumentation
 */

// Error pages, for requests that a framework or the command answers.
export { errorAdvice } from './error-advice.ts'
export { notFoundPage, statusErrorPage } from './error-page.ts'
// The names and checks of a gateway's options, for options that come from a command line, an environment or a file.
export { checkGatewayOptions, gatewayChecks } from './gateway-options.ts'
// Whether there is a log record of an error, so that a framework need not write another one.
export { wasReported } from './logger.ts'
// Address, scheme and host of the client, and the name of the request, for servers without a framework.
export { requestId, socketClient } from './node-handler.ts'
// Whether a request came by node:http2.
export { isHttp2 } from './request/http-version.ts'
// Where a framework has mounted a handler.
export { mountedURL } from './request/mount-point.ts'
// Sets response fields on a framework that keeps them by name.
export { setFields } from './response/repeated-fields.ts'
// Comparison of paths without case.
export { fold } from './script/denied-paths.ts'
// For adapters of the status page.
export { FORM_LIMIT } from './status/actions.ts'
export { joinCaches, joinDispatchers } from './status/join-dispatchers.ts'
// For a status of several processes.
export { mergeSnapshots } from './status/merge-snapshots.ts'
export { Monitor } from './status/monitor.ts'
export { type ProcessStatus, withLoads, withProcesses } from './status/process-status.ts'
export type { StatusSnapshot } from './status/snapshot.ts'
export { showSnapshot } from './status/status.ts'
