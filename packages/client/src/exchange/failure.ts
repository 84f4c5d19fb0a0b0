// Classifies the error of an attempt by what it means for the application.
import type { FastCGIError } from '@fastcgi/protocol'

/** What a failed attempt means for the health of its application. */
export type FailureKind =
  /** The application is unreachable, or closed the connection. */
  | 'died'
  /** The application is reachable, but answers too late or incorrectly. */
  | 'faulty'
  /** The application has no capacity. It is only busy, so this does not make it unavailable. */
  | 'overloaded'
  /** Not its fault: for instance the HTTP client has disconnected, or its body was incomplete. */
  | 'unrelated'

/** Classifies an error. */
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
