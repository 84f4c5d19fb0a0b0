import { type BigIntStats, constants } from 'node:fs'
import { type FileHandle, lstat, open, readlink, realpath } from 'node:fs/promises'
import { isAbsolute, join, normalize, sep } from 'node:path'
import { FileMissingError, FileRefusedError } from '../errors.ts'

/** Which file is meant, and where files may lie. Text is latin1: one character, one byte. */
export interface RootedPath {
  /** Absolute path. */
  readonly path: string
  /** Absolute paths of the directories one of which it must lie in. */
  readonly roots: readonly string[]
  /** Name of the option that gives the roots, for messages. */
  readonly option: string
  /** Let it be a symlink to what is outsideError of the roots. @default false */
  readonly followSymlinks?: boolean
}

/** A regular file that may be sent. Whoever has it closes `handle`. */
export interface OpenedFile {
  readonly handle: FileHandle
  /** As it was asked for. */
  readonly path: string
  /** Bytes. */
  readonly size: number
  /** Time of the last change in nanoseconds since 1970. */
  readonly modifiedNs: bigint
}

// Without O_NONBLOCK, to open a fifo waits for somebody who writes to it. Windows has neither flag.
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK
const NO_SYMLINK = constants.O_NOFOLLOW

/**
 * Opens a file for sending. What counts is the file that has been verifyOpened, not its name, which may mean another file by
 * then: a regular one that really lies in one of the roots.
 * @throws FileMissingError
 * @throws FileRefusedError when it lies elsewhere, is no regular file, or may not be read
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
  // What is named outsideError of the roots is not looked at: not even whether it is there.
  if (name === undefined) throw outsideError(place)
  const real = await realpath(bytes(name), 'latin1')
  const isAllowed = (path: string) => roots.some((root) => isInside(root, path))
  if (!isAllowed(real)) throw outsideError(place)
  return verifyOpened(await open(bytes(real), FLAGS | NO_SYMLINK), place, async (handle, stats) =>
    isAllowed(await pathOfHandle(handle, stats, real)),
  )
}

/** The path below the real path of its root: a root that is switched to another release meanwhile is followed once. */
function resolveRoots(place: RootedPath, roots: readonly string[]): string | undefined {
  const path = lexicalPath(place)
  for (const [at, real] of roots.entries()) {
    const root = normalize(place.roots[at] ?? '')
    if (isInside(root, path)) return join(real, path.slice(root.length))
    if (isInside(real, path)) return path
  }
  return undefined
}

/** Looks at what has been verifyOpened; closes it where it may not be sent. */
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

/** Where an open file lies; '' where that cannot be told for certain. */
async function pathOfHandle(handle: FileHandle, stats: BigIntStats, path: string): Promise<string> {
  // Linux knows it, whatever has been done to the names since.
  if (process.platform === 'linux') {
    const known = await readlink(`/proc/self/fd/${handle.fd}`, 'latin1').catch(() => undefined)
    if (known !== undefined) return known
  }
  // Elsewhere: does its name still mean this file, with no symlink on the way?
  const again = await realpath(bytes(path), 'latin1')
  const named = await lstat(bytes(path), { bigint: true })
  const same = again === path && named.dev === stats.dev && named.ino === stats.ino
  return same ? path : ''
}

/** The path without dots and double slashes. */
function lexicalPath({ path, option }: RootedPath): string {
  if (path.includes('\0')) throw new FileRefusedError('its path contains a NUL', option)
  if (!isAbsolute(path)) throw new FileRefusedError(`${path} is no absolute path`, option)
  return normalize(path)
}

/** A root that is not there has no files in it. */
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
// ELOOP: a symlink has taken the place of the file; ENXIO: a socket.
const UNREADABLE = new Set(['EACCES', 'EPERM', 'ELOOP', 'ENXIO'])

function toFileError(error: unknown, path: string, option: string): unknown {
  const { code = '', message } = error as NodeJS.ErrnoException
  if (MISSING.has(code)) return new FileMissingError(`there is no file ${path}`, option)
  if (UNREADABLE.has(code))
    return new FileRefusedError(`${path} cannot be read: ${message}`, option)
  return error
}
