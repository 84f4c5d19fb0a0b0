import type { IncomingMessage } from 'node:http'

/** Values of params; null takes a param away. */
export type Env = Readonly<Record<string, string | number | null | undefined>>

/** The client, as the framework's trust in proxies makes it out. */
export interface ClientInfo {
  /** Address of the client; '' for the socket's. */
  address: string
  /** `https` or `http`. */
  scheme: string
  /** Host the client asked for, with its port if it gave one. */
  host: string
}

/** A request target, taken apart. Text is latin1: one character, one byte. */
export interface RequestTarget {
  /** As it came, without scheme and authority. */
  readonly uri: string
  /** Decoded once, dot segments resolved, slashes merged; begins with a slash. */
  readonly path: string
  /** Behind the first question mark, as it came. */
  readonly query: string
  /** Of an absolute-form target, else ''. */
  readonly authority: string
}

/** What one request adds. Text is latin1, one character a byte, except for `extra`. */
export interface RequestFacts {
  readonly req: IncomingMessage
  readonly target: RequestTarget
  readonly client: ClientInfo
  /** SCRIPT_NAME; undefined for authorizers, who are not told (FastCGI 1.0 §6.3). */
  readonly scriptName: string | undefined
  readonly pathInfo: string
  /** SCRIPT_FILENAME, if there is one. */
  readonly scriptFilename: string | undefined
  /** DOCUMENT_ROOT, if there is one. */
  readonly documentRoot: string | undefined
  /** Bytes of the body; undefined when there is none. */
  readonly contentLength: number | undefined
  /** Overrides of what is sent in header fields: undefined leaves, null drops. */
  readonly contentType?: string | undefined
  readonly dropContentEncoding?: boolean
  /** Values for this request alone; they win over everything. */
  readonly extra: Env | undefined
  /** What guards have said: names of params, values in latin1. Configuration wins over them. */
  readonly variables?: ReadonlyMap<string, string> | undefined
}
