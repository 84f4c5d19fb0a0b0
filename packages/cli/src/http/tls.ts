// Certificate and key of the server, read again when they change.
import { readFileSync, unwatchFile, watchFile } from 'node:fs'
import { createSecureContext, type Server } from 'node:tls'
import { OptionError } from '@fastcgi/client'
import type { Logger } from 'pino'
import type { HttpsFiles } from '../settings/config.ts'
import type { AnyServer } from './connections.ts'

/** Milliseconds between two looks at the files. They are polled because renewal tools replace files and symlinks. */
const INTERVAL = 1000
/** Milliseconds from the last change on, because certificate and key are replaced one after the other. */
const SETTLING_TIME = 200

/** Reads certificate and key. @throws OptionError if they cannot be read, or do not belong together. */
export function certificateOf({ cert, key }: HttpsFiles): { cert: Buffer; key: Buffer } {
  const files = { cert: read('tls-cert', cert), key: read('tls-key', key) }
  try {
    createSecureContext(files)
  } catch (error) {
    const reason = (error as Error).message
    throw new OptionError(
      `options --tls-cert and --tls-key are no certificate and its key: ${reason}`,
    )
  }
  return files
}

/** Uses new files when they have changed; returns a function that stops that. */
export function reloadCertificate(
  server: AnyServer,
  files: HttpsFiles,
  logger: Logger,
): () => void {
  const reload = (): void => {
    try {
      const tls = server as unknown as Server
      tls.setSecureContext(certificateOf(files))
      logger.info({}, `${files.cert} has changed and is used for new connections`)
    } catch (error) {
      logger.warn({}, `the certificate has changed and is not used: ${(error as Error).message}`)
    }
  }
  const paths = [files.cert, files.key]
  let timer: NodeJS.Timeout | undefined
  const onChange = (): void => {
    clearTimeout(timer)
    timer = setTimeout(reload, SETTLING_TIME).unref()
  }
  for (const path of paths) watchFile(path, { interval: INTERVAL, persistent: false }, onChange)
  return () => {
    clearTimeout(timer)
    for (const path of paths) unwatchFile(path, onChange)
  }
}

function read(name: string, file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (error) {
    throw new OptionError(`option --${name} cannot be read: ${(error as Error).message}`)
  }
}
