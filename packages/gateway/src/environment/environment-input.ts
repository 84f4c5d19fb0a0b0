// What the params of one request are made from.

import type { IncomingMessage } from 'node:http'

/** Params by name; null removes a param, undefined leaves it as it is. */
export type Env = Readonly<Record<string, string | number | null | undefined>>

/** The client of a request, as determined by the framework's trust in proxies. */
export interface ClientInfo {
  /** IP address of the client; '' for the address of the socket. */
  address: string
  /** `https` or `http`. */
  scheme: string
  /** Host that the client asked for, with its port if it gave one. */
  host: string
}

/** A parsed request target. Text is latin1: one character per byte. */
export interface RequestTarget {
  /** Path and query as received, without scheme and authority. */
  readonly uri: string
  /** Decoded once, dot segments resolved, slashes merged; begins with a slash. */
  readonly path: string
  /** The part after the first question mark, as received; '' for none. */
  readonly query: string
  /** Authority of an absolute-form target (RFC 9112 §3.2.2), else ''. */
  readonly authority: string
}

/** The input to the params of one request. Text is latin1, one character per byte, except in `extra`. */
export interface EnvironmentInput {
  readonly req: IncomingMessage
  /** The fields to send. @default those of the request */
  readonly headers?: Readonly<Record<string, string | string[] | undefined>>
  readonly target: RequestTarget
  readonly client: ClientInfo
  /** SCRIPT_NAME; undefined for authorizers, which do not get it (FastCGI 1.0 §6.3). */
  readonly scriptName: string | undefined
  readonly pathInfo: string
  /** SCRIPT_FILENAME, if there is one. */
  readonly scriptFilename: string | undefined
  /** DOCUMENT_ROOT, if there is one. */
  readonly documentRoot: string | undefined
  /** Bytes of the body; undefined if there is none or the length is unknown. */
  readonly contentLength: number | undefined
  /** CONTENT_TYPE in place of the request's Content-Type field. */
  readonly contentType?: string | undefined
  /** Whether HTTP_CONTENT_ENCODING is left out, because the body is no longer encoded. */
  readonly dropContentEncoding?: boolean
  /** Params of this request alone; they win over all others. */
  readonly extra: Env | undefined
  /** Variables set by authorizers, by the names of their params; values in latin1. Configuration wins over them. */
  readonly variables?: ReadonlyMap<string, string> | undefined
}
