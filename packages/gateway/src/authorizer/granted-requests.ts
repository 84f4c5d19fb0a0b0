import type { IncomingMessage } from 'node:http'

/** An authorizer as the gateway knows it: what it guards may be the script that a path leads to, not the path itself. */
export interface PathAuthorizer {
  /** Whether a guard that does not cover `path` covers `script`, which the path leads to. Both are below the mount point. */
  coversOnly(script: string, path: string): boolean
}

/** The authorizers that have let a request through, each with the path of its mount point. */
const granted = new WeakMap<IncomingMessage, Map<PathAuthorizer, string>>()
let hasGranted = false

/** Whether any request has been let through by an authorizer yet; cheaper than a look at one. */
export function areThereGrants(): boolean {
  return hasGranted
}

/** Remembers that an authorizer has let a request through. @param mount the decoded mount point of the authorizer. */
export function addGrant(req: IncomingMessage, authorizer: PathAuthorizer, mount: string): void {
  hasGranted = true
  const known = granted.get(req)
  if (known === undefined) granted.set(req, new Map([[authorizer, mount]]))
  else known.set(authorizer, mount)
}

/** The authorizers that have let a request through so far, with their mount points; undefined for none. */
export function grantsOf(req: IncomingMessage): ReadonlyMap<PathAuthorizer, string> | undefined {
  return granted.get(req)
}
