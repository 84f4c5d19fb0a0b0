import type { FastCGIError } from '@fastcgi/protocol'

/** What a failed attempt says about the member it was made on. */
export type Meaning =
  /** It cannot be reached, or it died. */
  | 'died'
  /** It is there and does not do its work. */
  | 'sick'
  /** It has no room; to take it out for that would be to punish it for being busy. */
  | 'overloaded'
  /** Nothing: the client went away, or its body broke off. */
  | 'nothing'

/** Reads an error. */
export function meaningOf(error: FastCGIError): Meaning {
  return MEANINGS[error.code] ?? 'nothing'
}

const MEANINGS: Readonly<Record<string, Meaning>> = {
  FCGI_CONNECT: 'died',
  FCGI_CONNECT_TIMEOUT: 'died',
  FCGI_PREMATURE_CLOSE: 'died',
  FCGI_TIMEOUT: 'sick',
  FCGI_PROTOCOL: 'sick',
  FCGI_OVERLOADED: 'overloaded',
}
