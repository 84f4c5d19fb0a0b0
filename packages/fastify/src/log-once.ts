// Keeps Fastify from logging a failure for which there is a record that says more.
import { wasReported } from '@fastcgi/gateway/internal'
import type { FastifyBaseLogger, FastifyReply } from 'fastify'

/** The message with which Fastify logs a body that has failed. */
const BROKEN_OFF = 'response terminated with an error with headers already sent'

type Log = (details: unknown, ...rest: unknown[]) => void

/**
 * Where the gateway has logged an error, removes the record that Fastify's own error handler would write. What the handlers of
 * the app log is not changed.
 */
export function logOnce(reply: FastifyReply, error: unknown): void {
  if (!wasReported(error)) return
  const isRepeated = (details: unknown, message: unknown): boolean => {
    const { err, res } = (details ?? {}) as { err?: unknown; res?: unknown }
    return err === error && (res === reply || message === BROKEN_OFF)
  }
  // A proxy, because methods of a logger may depend on what `this` is.
  reply.log = new Proxy<FastifyBaseLogger>(reply.log, {
    get(log, name) {
      const value: unknown = Reflect.get(log, name)
      if (typeof value !== 'function') return value
      const method = value.bind(log) as Log
      if (name !== 'error' && name !== 'warn' && name !== 'info') return method
      return (details: unknown, ...rest: unknown[]) => {
        if (!isRepeated(details, rest[0])) method(details, ...rest)
      }
    },
  })
}
