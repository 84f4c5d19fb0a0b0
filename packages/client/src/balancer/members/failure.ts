import type { FastCGIError } from '@fastcgi/protocol'

/** What a failed attempt says about the member it was made on. */
export type FailureKind =
  /** It cannot be reached, or it died. */
  | 'died'
  /** It is there and does not do its work. */
  | 'faulty'
  /** It has no room; to take it out for that would be to punish it for being busy. */
  | 'overloaded'
  /** Nothing: the client went away, or its body broke off. */
  | 'unrelated'

/** Reads an error. */
export function classifyFailure(error: FastCGIError): FailureKind {
  return KINDS[error.code] ?? 'unrelated'
}

const KINDS: Readonly<Record<string, FailureKind>> = {
  FCGI_CONNECT: 'died',
  FCGI_CONNECT_TIMEOUT: 'died',
  FCGI_PREMATURE_CLOSE: 'died',
  FCGI_TIMEOUT: 'faulty',
  FCGI_PROTOCOL: 'faulty',
  FCGI_OVERLOADED: 'overloaded',
}
