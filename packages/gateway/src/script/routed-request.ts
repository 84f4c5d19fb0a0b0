import type { Env, RequestTarget } from '../environment/environment-input.ts'
import type { GatewayRequest } from '../request/gateway-request.ts'
import type { GatewayCallback } from '../response/gateway-response.ts'

/** One request on its way through the gateway. */
export interface RoutedRequest<Source> {
  readonly request: GatewayRequest<Source>
  /** Method it is run with: the request's, until an application sends it on. */
  readonly method: string
  readonly target: RequestTarget
  /** Decoded mount point, '' for none. */
  readonly mount: string
  /** Decoded path below it. */
  readonly path: string
  readonly done: GatewayCallback
  /** Paths by which applications sent it on, its own first. */
  readonly chain?: readonly string[]
}

export function mergeEnv(a: Env | undefined, b: Env | undefined): Env | undefined {
  return a === undefined || b === undefined ? (a ?? b) : { ...a, ...b }
}
