// What the threads tell each other: the one that speaks FastCGI, and the one in which PHP runs. The body of a response goes
// through an OutputRing.
import type { Code } from './builds.ts'

/** Data of a thread at its start. */
export interface ThreadStart {
  /** Directory of the package with the PHP build. */
  readonly directory: string
  /** PHP, compiled. */
  readonly code: Code
  /** Where compiled scripts are kept. */
  readonly cacheDirectory: string
  /** Whose its locks of files are. */
  readonly owner: string
  /** Content of php.ini. */
  readonly ini: string
  /** Memory of its OutputRing. */
  readonly output: SharedArrayBuffer
}

/** To the thread. `begin` is followed by as many bytes of `body` as it says; then PHP runs. */
export type ToThread =
  | { type: 'begin'; params: readonly string[]; bodyLength: number }
  | { type: 'body'; chunk: Uint8Array }
  /** The rest of the body does not come; PHP does not run. */
  | { type: 'cancel' }

/** From the thread. */
export type FromThread =
  | { type: 'ready' }
  | { type: 'head'; json: string }
  | { type: 'stderr'; text: string }
  /** After the last byte of the body. `memory`: size of PHP's memory in bytes. */
  | { type: 'end'; exitStatus: number; memory: number }
