import { FileMissingError } from '../errors.ts'
import type { GatewayResponse } from '../response/gateway-response.ts'
import { type FileReceiver, sendFile } from './send-file.ts'

/** Where a static file is. Text is latin1. */
export interface StaticFile {
  readonly root: string
  /** Below the root. */
  readonly path: string
  readonly followSymlinks?: boolean
  /** Name of the option that gives the root, for messages. */
  readonly option: 'root' | 'docroot'
}

/** Browsers would otherwise make up for how long it is fresh; what a guard lets one see is for nobody else. */
const CACHE_CONTROL = { root: 'public, max-age=0', docroot: 'private, max-age=0' }

/**
 * A file of the root as a response. That the path may be served has been decided before. Undefined when the file has gone.
 */
export async function staticFile(
  receiver: FileReceiver,
  { root, path, ...place }: StaticFile,
): Promise<GatewayResponse | undefined> {
  const headers = ['Cache-Control', CACHE_CONTROL[place.option]]
  try {
    return await sendFile({ ...receiver, ...place, roots: [root], path: root + path, headers })
  } catch (error) {
    if (error instanceof FileMissingError) return undefined
    throw error
  }
}
