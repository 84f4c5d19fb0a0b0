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
  readonly rules?: StaticRules
}

/** The option `static`. */
export interface StaticRules {
  readonly maxAge?: number | undefined
  readonly immutable?: boolean | undefined
  readonly charset?: string | undefined
  readonly setHeaders?: ((path: string) => Readonly<Record<string, string>>) | undefined
}

/**
 * Who may store a file. Without Cache-Control, clients choose a freshness lifetime themselves (RFC 9111 §4.2.2). A file that an
 * authorizer has released to one client must not be stored in a shared cache.
 */
const STORED_BY = { root: 'public', docroot: 'private' }

/**
 * The response that sends a static file, at once if the file is at hand; undefined if the file does not exist. The caller has
 * checked that the path may be served (no dotfile, no source of a script).
 */
export function staticFile(
  receiver: FileReceiver,
  { root, path, rules = {}, ...place }: StaticFile,
): GatewayResponse | Promise<GatewayResponse | undefined> {
  const headers = fieldsOf(path, STORED_BY[place.option], rules)
  const { charset = '' } = rules
  const response = sendFile({
    ...receiver,
    ...place,
    roots: [root],
    path: root + path,
    headers,
    charset,
  })
  return response instanceof Promise ? response.catch(undefinedIfMissing) : response
}

function undefinedIfMissing(error: unknown): undefined {
  if (error instanceof FileMissingError) return undefined
  throw error
}

/** The fields of a static file; those of `setHeaders` replace others of the same name. */
function fieldsOf(path: string, storedBy: string, rules: StaticRules): string[] {
  const { maxAge = 0, immutable = false, setHeaders } = rules
  const control = `${storedBy}, max-age=${Math.floor(maxAge / 1000)}${immutable ? ', immutable' : ''}`
  const own = Object.entries(setHeaders?.(Buffer.from(path, 'latin1').toString()) ?? {})
  const replaced = own.some(([name]) => name.toLowerCase() === 'cache-control')
  return [...(replaced ? [] : ['Cache-Control', control]), ...own.flat()]
}
