import type { Dispatcher } from '@fastcgi/client'
import type { Environment } from '../environment/environment.ts'
import type { Env } from '../environment/request-facts.ts'
import type { Offload } from '../files/offload.ts'
import type { StaticFile } from '../files/static-file.ts'
import type { BufferingRules } from '../response/response-buffer.ts'
import type { Resolution } from './script-resolver.ts'

/** What the application is told of a script. Text is latin1. */
export interface ScriptNames {
  scriptName: string
  pathInfo: string
  scriptFilename: string | undefined
  documentRoot: string | undefined
}

/** What of a route a script is run with. */
export interface ScriptRoute<Source> {
  readonly dispatcher: Dispatcher
  readonly environment: Environment
  readonly buffering: BufferingRules
  /** Whether a local redirect of the application is followed here. */
  readonly localRedirect: boolean
  readonly offload: Offload<ScriptRoute<Source>>
  /** What a path below the mount point is. */
  resolve(path: string): Resolution | Promise<Resolution>
  /** Where a path below the root is on the disk. */
  staticFile(path: string): StaticFile
  /** What the `env` function says of a request. */
  envFor(source: Source): Env | undefined
  /** The names of a script that was found. */
  names(mount: string, script: string, pathInfo: string): ScriptNames
}
