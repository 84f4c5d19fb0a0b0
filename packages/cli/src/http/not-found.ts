// The answer for a path at which there is nothing.
import { statSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join, normalize } from 'node:path'
import { writeResponse } from '@fastcgi/gateway'
import { notFoundPage } from '@fastcgi/gateway/internal'
import type { Settings } from '../settings/settings.ts'

/** Answers 404; developers are told of a directory without an index file. */
export function answerNotFound(
  settings: Settings,
  req: IncomingMessage,
  res: ServerResponse,
): void {
  const hint = settings.dev ? hintFor(settings, req.url ?? '/') : undefined
  writeResponse(res, notFoundPage(req, { details: settings.dev }, hint))
}

function hintFor({ root, gateway }: Settings, url: string): string {
  const path = decodedPath(url)
  const directory = path !== undefined && isDirectory(join(root, path))
  if (!directory) return `${root} has nothing at ${path ?? 'this path'}`
  const names = [gateway.index === false ? [] : (gateway.index ?? 'index.php')].flat()
  if (names.length === 0) return `${path} is a directory, and index files are off (option index)`
  return `${path} is a directory without ${names.join(' or ')} (option index)`
}

/** The path below the root; undefined if it leads out of it or cannot be decoded. */
function decodedPath(url: string): string | undefined {
  try {
    const path = normalize(decodeURIComponent(url.replace(/[?#].*$/s, '')))
    return path.startsWith('/') && !path.includes('\0') ? path : undefined
  } catch {
    return undefined
  }
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path, { bigint: true }).isDirectory()
  } catch {
    return false
  }
}
