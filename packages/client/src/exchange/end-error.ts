// What the END_REQUEST record of an application means (FastCGI 1.0, section 5.5).
import {
  type FastCGIError,
  ProtocolError,
  ProtocolStatus,
  type ResponseHeadParser,
} from '@fastcgi/protocol'
import { OverloadedError } from '../errors.ts'

/**
 * The error that END_REQUEST means, or undefined when the response is complete.
 * @param head the parser of the response head, if that is not complete.
 */
export function endErrorOf(
  protocolStatus: number,
  head: ResponseHeadParser | undefined,
): FastCGIError | undefined {
  if (protocolStatus === ProtocolStatus.OVERLOADED)
    return new OverloadedError('the application is overloaded (FCGI_OVERLOADED)')
  if (protocolStatus === ProtocolStatus.CANT_MPX_CONN)
    return new ProtocolError('the application cannot multiplex (FCGI_CANT_MPX_CONN)')
  if (protocolStatus === ProtocolStatus.UNKNOWN_ROLE)
    return new ProtocolError('the application does not know the role (FCGI_UNKNOWN_ROLE)')
  if (protocolStatus !== ProtocolStatus.REQUEST_COMPLETE)
    return new ProtocolError(`unknown protocol status ${protocolStatus} in END_REQUEST`)
  if (head === undefined) return undefined
  return new ProtocolError(
    head.untouched
      ? 'the application ended the request without any output'
      : 'the application ended the request inside the response head',
  )
}
