/**
 * What the adapters of this project share with the gateway. Private: it changes with any version, without notice.
 * @packageDocumentation
 */

// The client's address and scheme, where no framework knows better.
export { socketClient } from './node-handler.ts'
// Whether a request came by node:http2.
export { isHttp2 } from './request/http-version.ts'
// Response fields, set by name.
export { setFields } from './response/response-fields.ts'
// Forms and dispatchers of the status page.
export { FORM_LIMIT } from './status/actions.ts'
export { joinDispatchers } from './status/dispatchers.ts'
