// What a process manager tells of its processes.

/** State of a process. */
export type ProcessState =
  /** Its listening socket is being opened. */
  | 'opening'
  /** It takes requests. */
  | 'running'
  /** It was started after failures, and takes requests once it has lived for a moment. */
  | 'trial'
  /** It takes no more requests, finishes the ones it has, and is then ended or restarted. */
  | 'draining'
  /** Its start failed; it waits for the next attempt. */
  | 'backoff'
  /** It has ended for good. */
  | 'stopped'

/** One process of a process manager. */
export interface ProcessFigures {
  /** Name of the application and number of the process, such as `php-cgi-0`. */
  readonly name: string
  /** Address of its listening socket. */
  readonly address: string
  readonly state: ProcessState
  /** Process id of the running child; undefined if none runs. */
  readonly pid: number | undefined
  /** Milliseconds since the running child was started; undefined if none runs. */
  readonly age: number | undefined
  /** Requests that are being served. */
  readonly load: number
  /** Requests that were answered completely. */
  readonly served: number
  /** Number of times a child was started. */
  readonly starts: number
  /** Number of times a child ended without having been told to. */
  readonly died: number
  /** How the last of these children ended. */
  readonly lastExit: string | undefined
}
