import { FileMissingError } from '../errors.ts'
import type { GatewayResponse } from '../response/gateway-response.ts'
import { type FileReceiver, sendFile } from './send-file.ts'

/** A static file below a root. Text is latin1. */
export interface StaticFile {
  readonly root: string
  /** Path below the root, with a slash at its start. */
  readonly path: string
  readonly followSymlinks?: boolean
  /** Name of the option that gives the root, for messages. */
  readonly option: 'root' | 'docroot'
}

/**
 * Without Cache-Control, clients choose a freshness lifetime themselves (RFC 9111 §4.2.2). A file that an authorizer has
 * released to one client must not be stored in a shared cache.
 */
const CACHE_CONTROL = { root: 'public, max-age=0', docroot: 'private, max-age=0' }

/**
 * The response that sends a static file; undefined if the file does not exist. The caller has checked that the path may be
 * served (no dotfile, no source of a script).
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
