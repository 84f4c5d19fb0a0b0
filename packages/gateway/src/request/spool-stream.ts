import type { Readable } from 'node:stream'
import { RequestBodyError } from '@fastcgi/client'
import { Spool, type SpoolLimits } from './spool.ts'

/** A body whose length is known at last. */
export interface SpooledBody {
  body: Buffer | Readable
  length: number
}

/**
 * Reads a stream of unknown length to its end. The stream is never destroyed, for on its socket the client waits
 * for what we have to say about its body.
 * @param idle milliseconds without a byte after which the client is too slow; 0 for no limit.
 * @throws RequestBodyError
 */
export function spoolStream(
  stream: Readable,
  limits: SpoolLimits,
  idle: number,
): Promise<SpooledBody> {
  return new Promise((resolve, reject) => {
    const spool = new Spool(limits)
    let writing: Promise<void> | undefined
    const timer =
      idle === 0 ? undefined : setTimeout(() => fail('FCGI_BODY_TIMEOUT', slow(idle)), idle)

    const onData = (data: Buffer | string): void => {
      timer?.refresh()
      try {
        writing = spool.write(typeof data === 'string' ? Buffer.from(data) : data)
      } catch (error) {
        settle(error)
        return
      }
      if (writing === undefined) return
      stream.pause()
      writing.then(() => {
        writing = undefined
        if (settled) return
        timer?.refresh()
        stream.resume()
      }, settle)
    }
    const onEnd = (): void => {
      // All of it is here: 'close' is no failure any more, however long the disk takes.
      clearTimeout(timer)
      stream.off('close', onClose)
      if (writing === undefined) settle()
      else writing.then(() => settle(), settle)
    }
    const onClose = (): void => {
      fail('FCGI_BODY_TRUNCATED', 'the client went away in the middle of its request body')
    }
    const onError = (cause: Error): void => {
      fail('FCGI_BODY_TRUNCATED', 'the request body could not be read to its end', cause)
    }
    const fail = (
      code: 'FCGI_BODY_TIMEOUT' | 'FCGI_BODY_TRUNCATED',
      message: string,
      cause?: Error,
    ): void => settle(new RequestBodyError(code, message, { cause }))

    let settled = false
    const settle = (error?: unknown): void => {
      if (settled) return
      settled = true
      clearTimeout(timer)
      stream.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onError)
      stream.on('error', () => {})
      stream.pause()
      if (error === undefined) resolve({ body: spool.finish(), length: spool.length })
      else void spool.discard().then(() => reject(error), reject)
    }
    stream.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onError)
  })
}

function slow(idle: number): string {
  return `the client sent nothing of its request body for ${idle} ms (option timeouts.body)`
}
