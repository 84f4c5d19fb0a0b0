/**
 * A Node.js program as a FastCGI application: responder, authorizer and filter.
 * @packageDocumentation
 */

// Errors; each has a `code`.
export { FastCGIError, ProtocolError } from '@fastcgi/protocol'
export { OptionError, type ServerOptions, type ServerTimeouts, type TLSOptions } from './options.ts'
// Requests, and what FastCGI adds to them.
export {
  type FastCGIContext,
  type FastCGIRequest,
  type FilterData,
  type FilterRequest,
  fastcgiContext,
  type RoleName,
} from './request/context.ts'
// Listeners of the three roles, and the decisions of authorizers.
export {
  type AuthorizerListener,
  allow,
  type Decision,
  type Denial,
  deny,
  type FilterListener,
  type ResponderListener,
  type RoleListeners,
} from './roles.ts'
// The server.
export {
  createServer,
  type FastCGIServer,
  fastcgiServerFactory,
  type ListenOptions,
} from './server.ts'
