// Opens the files that are sent (X-Sendfile, X-Accel-Redirect, static files, docroot), and checks that they really lie in
// one of the allowed directories.

import { type BigIntStats, constants } from 'node:fs'
import { type FileHandle, lstat, open, readlink, realpath } from 'node:fs/promises'
import { isAbsolute, join, normalize, sep } from 'node:path'
import { FileMissingError, FileRefusedError } from '../errors.ts'

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

/** An open regular file that may be sent. The caller closes `handle`. */
export interface OpenedFile {
  readonly handle: FileHandle
  /** Path as requested, not the real path. */
  readonly path: string
  /** Bytes. */
  readonly size: number
  /** Modification time in nanoseconds since 1970. */
  readonly modifiedNs: bigint
}

// Without O_NONBLOCK, opening a FIFO blocks until another process opens it for writing. Windows has neither flag.
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK
const NO_SYMLINK = constants.O_NOFOLLOW

/**
 * Opens a file for sending. The checks are made on the open file, not on its path, which could name another file by then
 * (time of check to time of use): it must be a regular file, and its real path must be in one of the roots.
 * @throws FileMissingError
 * @throws FileRefusedError if it is outside of the roots, is not a regular file, or must not be read
 */
export async function openWithinRoots(place: RootedPath): Promise<OpenedFile> {
  const { path, option } = place
  try {
    return place.followSymlinks === true ? await openByName(place) : await openInside(place)
  } catch (error) {
    throw toFileError(error, path, option)
  }
}

async function openByName(place: RootedPath): Promise<OpenedFile> {
  const path = lexicalPath(place)
  if (!place.roots.some((root) => isInside(normalize(root), path))) throw outsideError(place)
  return verifyOpened(await open(bytes(path), FLAGS), place)
}

async function openInside(place: RootedPath): Promise<OpenedFile> {
  const roots = await Promise.all(place.roots.map(realRootOf))
  const name = resolveRoots(place, roots)
  // A path outside of the roots is not looked up, so that the answer does not reveal whether it exists.
  if (name === undefined) throw outsideError(place)
  const real = await realpath(bytes(name), 'latin1')
  const isAllowed = (path: string) => roots.some((root) => isInside(root, path))
  if (!isAllowed(real)) throw outsideError(place)
  return verifyOpened(await open(bytes(real), FLAGS | NO_SYMLINK), place, async (handle, stats) =>
    isAllowed(await pathOfHandle(handle, stats, real)),
  )
}

/**
 * The path below the real path of its root. A root that is a symlink is resolved once, so that switching it to another
 * release in between cannot mix the two.
 */
function resolveRoots(place: RootedPath, roots: readonly string[]): string | undefined {
  const path = lexicalPath(place)
  for (const [at, real] of roots.entries()) {
    const root = normalize(place.roots[at] ?? '')
    if (isInside(root, path)) return join(real, path.slice(root.length))
    if (isInside(real, path)) return path
  }
  return undefined
}

/** Checks the open file, and closes it if it must not be sent. */
async function verifyOpened(
  handle: FileHandle,
  place: RootedPath,
  isAllowed?: (handle: FileHandle, stats: BigIntStats) => Promise<boolean>,
): Promise<OpenedFile> {
  const { path, option } = place
  try {
    const stats = await handle.stat({ bigint: true })
    if (!stats.isFile()) throw new FileRefusedError(`${path} is no regular file`, option)
    if (isAllowed !== undefined && !(await isAllowed(handle, stats))) throw outsideError(place)
    return { handle, path, size: Number(stats.size), modifiedNs: stats.mtimeNs }
  } catch (error) {
    await handle.close()
    throw error
  }
}

/** The real path of an open file; '' if it cannot be determined reliably. */
async function pathOfHandle(handle: FileHandle, stats: BigIntStats, path: string): Promise<string> {
  // On Linux the descriptor gives the current path, even if the file has been renamed since.
  if (process.platform === 'linux') {
    const known = await readlink(`/proc/self/fd/${handle.fd}`, 'latin1').catch(() => undefined)
    if (known !== undefined) return known
  }
  // Elsewhere, check that the path still names this file and contains no symlink.
  const again = await realpath(bytes(path), 'latin1')
  const named = await lstat(bytes(path), { bigint: true })
  const same = again === path && named.dev === stats.dev && named.ino === stats.ino
  return same ? path : ''
}

/** The path without dot segments and repeated slashes. */
function lexicalPath({ path, option }: RootedPath): string {
  if (path.includes('\0')) throw new FileRefusedError('its path contains a NUL', option)
  if (!isAbsolute(path)) throw new FileRefusedError(`${path} is no absolute path`, option)
  return normalize(path)
}

/** The real path of a root. A root that does not exist is returned as it is; opening a file in it then fails. */
async function realRootOf(root: string): Promise<string> {
  return realpath(bytes(root), 'latin1').catch(() => root)
}

function isInside(root: string, path: string): boolean {
  return path.startsWith(root.endsWith(sep) ? root : root + sep)
}

function outsideError({ path, roots, option }: RootedPath): FileRefusedError {
  return new FileRefusedError(`${path} does not lie in ${roots.join(', ')}`, option)
}

function bytes(path: string): Buffer {
  return Buffer.from(path, 'latin1')
}

const MISSING = new Set(['ENOENT', 'ENOTDIR', 'ENAMETOOLONG'])
// ELOOP: the file has been replaced by a symlink. ENXIO: it is a socket.
const UNREADABLE = new Set(['EACCES', 'EPERM', 'ELOOP', 'ENXIO'])

function toFileError(error: unknown, path: string, option: string): unknown {
  const { code = '', message } = error as NodeJS.ErrnoException
  if (MISSING.has(code)) return new FileMissingError(`there is no file ${path}`, option)
  if (UNREADABLE.has(code))
    return new FileRefusedError(`${path} cannot be read: ${message}`, option)
  return error
}
