// The part of a route that running a script needs. Route implements it; script/ does not import route.ts, which is
// above it.

import type { Dispatcher } from '@fastcgi/client'
import type { Environment } from '../environment/environment.ts'
import type { Env } from '../environment/environment-input.ts'
import type { Offload } from '../files/offload.ts'
import type { StaticFile } from '../files/static-file.ts'
import type { BufferingRules } from '../response/buffered-body.ts'
import type { FieldRules } from '../response/field-rules.ts'
import type { Resolution } from './script-resolver.ts'

/** The params that name a script: SCRIPT_NAME, PATH_INFO, SCRIPT_FILENAME, DOCUMENT_ROOT. Text is latin1. */
export interface ScriptNames {
  scriptName: string
  pathInfo: string
  scriptFilename: string | undefined
  documentRoot: string | undefined
}

/** A route, as far as running its scripts needs it. */
export interface ScriptRoute<Source> {
  /**
   * Names the route in logs, traces and metrics, by the mount point and what it matches: `/shop`, `/shop/*.php`,
   * `/shop ~ \.(php|phtml)$`.
   */
  label(mount: string): string
  readonly dispatcher: Dispatcher
  readonly environment: Environment
  readonly buffering: BufferingRules
  /** The option `responseHeaders`. */
  readonly rules: FieldRules | undefined
  /** The option `interceptErrors`. */
  readonly intercepts: ((status: number) => boolean) | undefined
  /** Whether local redirects of the application are followed by the gateway (option `localRedirect`). */
  readonly localRedirect: boolean
  readonly offload: Offload<ScriptRoute<Source>>
  /** Resolves a path below the mount point. */
  resolve(path: string): Resolution | Promise<Resolution>
  /** Forgets what a path leads to; whether it was known. */
  forget(path: string): boolean
  /** The name that a script with an extension of `mapExtensions` is treated as; undefined for all others. */
  mappedName(script: string): string | undefined
  /** The static file at a path below the root. */
  staticFile(path: string): StaticFile
  /** The params that the `env` function returns for a request. */
  envFor(source: Source): Env | undefined
  /** The params that name a script. */
  names(mount: string, script: string, pathInfo: string): ScriptNames
}
