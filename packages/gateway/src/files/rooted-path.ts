// A path, and the directories it may lead into; without a look at the disk.

import { constants } from 'node:fs'
import { isAbsolute, join, normalize, sep } from 'node:path'
import { FileRefusedError } from '../errors.ts'

/** A file, and the directories it may be in. Text is latin1: one character per byte. */
export interface RootedPath {
  /** Absolute path. */
  readonly path: string
  /** Absolute paths of directories; the file must be in one of them. */
  readonly roots: readonly string[]
  /** Name of the option that gives the roots, for messages. */
  readonly option: string
  /** Whether the file may be a symlink that leads out of the roots. @default false */
  readonly followSymlinks?: boolean
}

// Without O_NONBLOCK, opening a FIFO blocks until another process opens it for writing. Windows has neither flag.
export const FLAGS: number = constants.O_RDONLY | constants.O_NONBLOCK
export const NO_SYMLINK: number = constants.O_NOFOLLOW

/**
 * The path below the real path of its root. A root that is a symlink is resolved once, so that switching it to another
 * release in between cannot mix the two.
 */
export function resolveRoots(place: RootedPath, roots: readonly string[]): string | undefined {
  const path = lexicalPath(place)
  for (const [at, real] of roots.entries()) {
    const root = normalize(place.roots[at] ?? '')
    if (isInside(root, path)) return join(real, path.slice(root.length))
    if (isInside(real, path)) return path
  }
  return undefined
}

/** The path without dot segments and repeated slashes. */
export function lexicalPath({ path, option }: RootedPath): string {
  if (path.includes('\0')) throw new FileRefusedError('its path contains a NUL', option)
  if (!isAbsolute(path)) throw new FileRefusedError(`${path} is no absolute path`, option)
  return normalize(path)
}

/** Whether a path is, by its name, below a root. */
export function isBelowRoot({ roots }: RootedPath, path: string): boolean {
  return roots.some((root) => isInside(normalize(root), path))
}

export function isInside(root: string, path: string): boolean {
  return path.startsWith(root.endsWith(sep) ? root : root + sep)
}

/** A path as the system takes it. @param path latin1 */
export function bytes(path: string): Buffer {
  return Buffer.from(path, 'latin1')
}
