import type { RequestFields } from '@fastcgi/cache'
import type { DispatchControl } from '@fastcgi/client'
import type { Env, RequestTarget } from '../environment/environment-input.ts'
import type { RequestLogger } from '../logger.ts'
import type { GatewayRequest } from '../request/gateway-request.ts'
import type { GatewayCallback } from '../response/gateway-response.ts'

/** A request to the application that the cache makes. It goes on when the client disconnects. */
export interface CacheRun {
  /** The fields that are sent in place of the client's. */
  readonly fields: RequestFields
  /** Fields of the response as the application has sent them. */
  received: readonly string[]
  /** Whether the response is what the application has sent, and not a file or another path's response. */
  isShareable: boolean
  control: DispatchControl | undefined
}

/** A request with its parsed target, while the gateway finds the route for it and runs it. */
export interface RoutedRequest<Source> {
  readonly request: GatewayRequest<Source>
  /** The logger of this request. */
  readonly logger: RequestLogger
  /** Method to run it with: that of the request, or GET or HEAD after an internal redirect. */
  readonly method: string
  readonly target: RequestTarget
  /** Decoded mount point, '' for none. */
  readonly mount: string
  /** Decoded path below the mount point. */
  readonly path: string
  readonly done: GatewayCallback
  /** Whether the path has been resolved a second time, because what it led to was gone. */
  readonly isResolvedAnew?: boolean
  /** Paths of the internal redirects so far, beginning with the first path; undefined before any. */
  readonly chain?: readonly string[]
  /** Set if the cache asks the application. */
  readonly cacheRun?: CacheRun
}

/** Merges params; those of `b` win. */
export function mergeEnv(a: Env | undefined, b: Env | undefined): Env | undefined {
  return a === undefined || b === undefined ? (a ?? b) : { ...a, ...b }
}
