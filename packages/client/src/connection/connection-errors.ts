// Creates the errors of connections and queues: messages that name the address and the option to change.
import { type FastCGIError, ProtocolError, VersionError } from '@fastcgi/protocol'
import type { Address } from '../address.ts'
import {
  ConnectError,
  ConnectTimeoutError,
  OverloadedError,
  PrematureCloseError,
  RequestBodyError,
  SlowReaderError,
  systemCode,
  TimeoutError,
  type TimeoutPhase,
} from '../errors.ts'
import type { Timeouts } from '../options.ts'
import { tlsReason } from '../socket/tls-errors.ts'

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused; nothing listens there, is the application running?',
  ENOENT: 'there is no such socket; is the application running, is the path right?',
  EACCES:
    'permission denied; give this user access to the socket (php-fpm: listen.owner, listen.mode)',
  ENOTSOCK: 'that is not a socket',
  ENOTFOUND: 'the host name is unknown',
  EAI_AGAIN: 'the host name cannot be looked up now',
  EHOSTUNREACH: 'the host cannot be reached',
  ENETUNREACH: 'the network cannot be reached',
}

/** Creates the error for a connection that could not be opened. @param cause error of the socket. */
export function connectError(
  address: Address,
  cause: Error | undefined,
): ConnectError | ConnectTimeoutError | OverloadedError {
  const code = systemCode(cause)
  const options = { cause, address: address.name }
  if (code === 'EAGAIN')
    return new OverloadedError(
      `the backlog of ${address.name} is full; php-fpm: listen.backlog, pm.max_children`,
      options,
    )
  if (code === 'ETIMEDOUT')
    return new ConnectTimeoutError(`the connection to ${address.name} timed out`, options)
  const failed = tlsReason(address, cause)
  if (failed !== undefined)
    return new ConnectError(`cannot connect to ${address.name} (option tls): ${failed}`, options)
  const reason = (code && REASONS[code]) ?? cause?.message ?? 'the socket was closed'
  return new ConnectError(`cannot connect to ${address.name} (option upstream): ${reason}`, options)
}

/** Creates the error for a connection that was closed or reset before END_REQUEST. */
export function lostError(
  address: Address,
  exchange: { headDone: boolean; sent: boolean },
  answered: boolean,
  cause: Error | undefined,
): PrematureCloseError {
  const when = !answered
    ? 'without an answer'
    : exchange.headDone
      ? 'in the middle of the response body'
      : 'before the response head was complete'
  const hint = answered
    ? 'it crashed, was killed, or reached a limit'
    : `it crashed, refuses this client (php-fpm: listen.allowed_clients${address.kind === 'tls' ? '; its certificate: tls.cert' : ''}), or is no FastCGI application`
  return new PrematureCloseError(`${address.name} closed the connection ${when}: ${hint}`, {
    address: address.name,
    begun: exchange.sent || answered,
    ...(cause === undefined ? {} : { cause }),
  })
}

const PHASES: Readonly<Record<TimeoutPhase, string>> = {
  head: 'sent no response head',
  idle: 'sent no more of the response body',
  write: 'read no more of the request',
}

/** Creates the error for a request that exceeds `maxQueue`. */
export function queueFullError(address: Address, waiting: number): OverloadedError {
  return new OverloadedError(
    `${waiting} requests are waiting for ${address.name} already (option maxQueue)`,
    { address: address.name },
  )
}

/** Creates the error for a request that has waited longer than `queueTimeout`. */
export function queueTimeoutError(address: Address, limit: number, used: number): OverloadedError {
  return new OverloadedError(
    `no connection to ${address.name} was free for ${limit} ms (option queueTimeout); ${used} are in use (option maxConnections)`,
    { address: address.name },
  )
}

/** The timeouts that fail a request. */
type WaitedFor = Exclude<keyof Timeouts, 'abort' | 'reader'>

/** Creates the error for an expired timeout of `limit` milliseconds. */
export function timeoutError(address: Address, phase: WaitedFor, limit: number): FastCGIError {
  const option = `(option timeouts.${phase})`
  const options = { address: address.name }
  if (phase === 'connect')
    return new ConnectTimeoutError(
      `no connection to ${address.name} within ${limit} ms ${option}`,
      options,
    )
  if (phase === 'body')
    return new RequestBodyError(
      'FCGI_BODY_TIMEOUT',
      `the stream of the request body delivered nothing for ${limit} ms ${option}`,
    )
  if (phase === 'multiplexReader')
    return new SlowReaderError(
      `the response from ${address.name} was not read for ${limit} ms ${option}, while it blocked other requests on its connection (option maxPausedSize)`,
      options,
    )
  return new TimeoutError(
    phase,
    `${address.name} ${PHASES[phase]} for ${limit} ms ${option}`,
    options,
  )
}

/** Names the address in an error about what an application has sent; other errors are returned as they are. */
export function errorOfApplication(address: Address, error: FastCGIError): FastCGIError {
  if (error.address !== undefined) return error
  const options = { address: address.name, cause: error.cause }
  if (error instanceof VersionError)
    return new ProtocolError(
      `${address.name} is no FastCGI application (option upstream): ${error.message}${remedyFor(address, error)}`,
      options,
    )
  if (error instanceof ProtocolError)
    return new ProtocolError(`${address.name}: ${error.message}`, options)
  if (error instanceof OverloadedError)
    return new OverloadedError(`${address.name}: ${error.message}`, options)
  return error
}

function remedyFor({ kind, name }: Address, { speaks }: VersionError): string {
  if (speaks !== 'TLS' || kind !== 'tcp') return ''
  return `; an encrypted FastCGI application has the address fcgis://${name}`
}
