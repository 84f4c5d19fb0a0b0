// Lets one request of an HTTP/1.1 connection run at a time. node:http passes pipelined requests on as soon as they are
// parsed; without this a client could occupy any number of workers with one connection. HTTP/2 streams are not affected.

import { AsyncResource } from 'node:async_hooks'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { AbortedError, OverloadedError } from '@fastcgi/client'
import { offClientDisconnect, onClientDisconnect } from './client-disconnect.ts'
import { isHttp2 } from './http-version.ts'

/**
 * Maximum number of waiting requests of one connection, because each takes memory. The connection is read on all the same:
 * while it is not read, a disconnect is not noticed. (node:http stops reading once 16 KiB of responses wait.)
 */
const MAX_WAITING = 1000

const WAITING = Symbol('fastcgi.waitingRequests')

/** A socket of node:http. */
interface HTTPSocket extends Socket {
  /** The response that is written to the socket now; responses behind it have no socket yet. */
  _httpMessage?: ServerResponse | null
  /** Number of requests that wait for the responses before theirs. */
  [WAITING]?: number
}

/** Whether the response to an earlier request of the same HTTP/1.1 connection is not complete. */
export function isPipelined(req: IncomingMessage, res: ServerResponse): boolean {
  if (res.socket !== null || isHttp2(req)) return false
  // A response that was made without a server has no socket either, and will never get one.
  const { _httpMessage: current = null } = req.socket as HTTPSocket
  return current !== null && current !== res
}

/**
 * Calls back once all responses before this one are complete: then node:http assigns the socket to it. Calls back with an
 * error if the client disconnects before, or if too many requests wait already. Only for requests that are pipelined.
 */
export function whenFirst(
  req: IncomingMessage,
  res: ServerResponse,
  callback: (error?: AbortedError | OverloadedError) => void,
): void {
  const socket: HTTPSocket = req.socket
  const waiting = socket[WAITING] ?? 0
  if (waiting >= MAX_WAITING) {
    callback(new OverloadedError(`${waiting} requests of this connection are waiting already`))
    return
  }
  // The events occur in the asynchronous context of another request.
  const settle = AsyncResource.bind((error?: AbortedError) => {
    offClientDisconnect(req, res, onDisconnect)
    res.off('socket', onSocket)
    socket[WAITING] = (socket[WAITING] ?? 0) - 1
    callback(error)
  })
  // node:http is still ending the response before when it emits 'socket'.
  const onSocket = (): void => process.nextTick(settle)
  const onDisconnect = (): void =>
    settle(new AbortedError({ cause: new Error('the client has disconnected') }))
  socket[WAITING] = waiting + 1
  res.once('socket', onSocket)
  onClientDisconnect(req, res, onDisconnect)
}
