// What to look at when a request has failed, by the code of its error.

const ADVICE: Readonly<Record<string, string>> = {
  FCGI_CONNECT: 'start the application, or correct the option upstream',
  FCGI_CONNECT_TIMEOUT: 'look at whether its host is up, and at firewalls between here and there',
  FCGI_PREMATURE_CLOSE: 'look at the log of the application; PHP writes there why a worker ended',
  FCGI_PROTOCOL: 'look at what the script prints before its header fields, and at its log',
  FCGI_TIMEOUT: 'make the script faster, or let it print something, or raise the option timeouts',
  FCGI_OVERLOADED:
    'give the application more workers (php-fpm: pm.max_children), or look at slow scripts',
  FCGI_CLOSED: 'send the request again: this server is stopping',
  FCGI_AUTHORIZER: 'look at whether the authorizer runs; until it answers, everything is denied',
  FCGI_DENIED: 'the option deny says so',
  FCGI_BODY_TOO_LARGE: 'raise the option maxBodySize',
  FCGI_BODY_LENGTH_REQUIRED: "set the option unknownLength to 'spool'",
  FCGI_BODY_TIMEOUT: 'raise the option timeouts.body, if clients may be that slow',
  FCGI_BODY_CONSUMED: 'put the gateway before body parsers',
  FCGI_PARAMS_TOO_LARGE: 'raise the option maxParamsSize, or send fewer cookies',
  FCGI_FILE_REFUSED: 'look at the directories that the option names, and at the rights of the file',
  FCGI_ROOT: 'look at the option root, and at the rights of that directory',
  FCGI_REDIRECT_LOOP: 'look at the redirects of the scripts that are named',
}

/** What to look at, as a clause without a full stop; undefined if the message of the error says all. */
export function errorAdvice(code: string): string | undefined {
  return Object.hasOwn(ADVICE, code) ? ADVICE[code] : undefined
}
