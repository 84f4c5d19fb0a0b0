import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** Responses that have to be told when their socket closes, for node:http does not. */
const waiting = new WeakMap<Socket, Set<() => void>>()

/** Whether nobody is left to answer: the response is closed, its socket is, or its HTTP/2 stream. */
export function isGone(req: IncomingMessage, res: ServerResponse): boolean {
  return res.closed || req.socket.destroyed
}

/** Calls back when the response closes: because it is through, or because the client has gone. */
export function onceClosed(req: IncomingMessage, res: ServerResponse, callback: () => void): void {
  res.once('close', callback)
  // Behind another response of a pipeline, one has no socket yet, and never hears of its end if that comes before.
  if (res.socket !== null || req.httpVersionMajor >= 2) return
  const { socket } = req
  let callbacks = waiting.get(socket)
  if (callbacks === undefined) {
    const all = new Set<() => void>()
    socket.once('close', () => {
      for (const each of all) each()
    })
    waiting.set(socket, all)
    callbacks = all
  }
  const inPipeline = callbacks.add(callback)
  res.once('close', () => inPipeline.delete(callback))
}
