// Opens the files that are sent (X-Sendfile, X-Accel-Redirect, static files, docroot), and checks that they really lie in
// one of the allowed directories.

import type { BigIntStats } from 'node:fs'
import * as fs from 'node:fs'
import { lstat, readlink, realpath } from 'node:fs/promises'
import { promisify } from 'node:util'
import { FileMissingError, FileRefusedError } from '../errors.ts'
import { OpenedFile } from './opened-file.ts'
import {
  bytes,
  FLAGS,
  isBelowRoot,
  isInside,
  lexicalPath,
  NO_SYMLINK,
  type RootedPath,
  resolveRoots,
} from './rooted-path.ts'
import { openAtOnce, rememberFile, rememberRoot } from './warm-open.ts'
import { isLocal } from './warm-paths.ts'

const open: (path: Buffer, flags: number) => Promise<number> = promisify(fs.open)
const fstat: (fd: number, options: { bigint: true }) => Promise<BigIntStats> = promisify(fs.fstat)

/**
 * Opens a file for sending. The checks are made on the open file, not on its path, which could name another file by then
 * (time of check to time of use): it must be a regular file, and its real path must be in one of the roots.
 * @throws FileMissingError
 * @throws FileRefusedError if it is outside of the roots, is not a regular file, or must not be read
 */
export function openWithinRoots(place: RootedPath): OpenedFile | Promise<OpenedFile> {
  return openAtOnce(place) ?? openAnew(place)
}

async function openAnew(place: RootedPath): Promise<OpenedFile> {
  const { path, option } = place
  try {
    return place.followSymlinks === true ? await openByName(place) : await openInside(place)
  } catch (error) {
    throw toFileError(error, path, option)
  }
}

async function openByName(place: RootedPath): Promise<OpenedFile> {
  const path = lexicalPath(place)
  if (!isBelowRoot(place, path)) throw outsideError(place)
  const file = await verifyOpened(await open(bytes(path), FLAGS), place, path, async () => true)
  if (file.isLocal) rememberFile(path)
  return file
}

async function openInside(place: RootedPath): Promise<OpenedFile> {
  const roots = await Promise.all(place.roots.map(realRootOf))
  const name = resolveRoots(place, roots)
  // A path outside of the roots is not looked up, so that the answer does not reveal whether it exists.
  if (name === undefined) throw outsideError(place)
  const real = await realpath(bytes(name), 'latin1')
  const isAllowed = (path: string) => roots.some((root) => isInside(root, path))
  if (!isAllowed(real)) throw outsideError(place)
  const fd = await open(bytes(real), FLAGS | NO_SYMLINK)
  const file = await verifyOpened(fd, place, real, async (stats) =>
    isAllowed(await pathOfDescriptor(fd, stats, real)),
  )
  if (file.isLocal && real === name) rememberFile(name)
  return file
}

/** Checks the open file, and closes it if it must not be sent. */
async function verifyOpened(
  fd: number,
  place: RootedPath,
  real: string,
  isAllowed: (stats: BigIntStats) => Promise<boolean>,
): Promise<OpenedFile> {
  const { path, option } = place
  try {
    const stats = await fstat(fd, { bigint: true })
    if (!stats.isFile()) throw new FileRefusedError(`${path} is no regular file`, option)
    if (!(await isAllowed(stats))) throw outsideError(place)
    const local = await isLocal(real, stats.dev)
    return new OpenedFile(fd, path, stats, { isLocal: local, isWarm: false })
  } catch (error) {
    await promisify(fs.close)(fd)
    throw error
  }
}

/** The real path of an open file; '' if it cannot be determined reliably. */
async function pathOfDescriptor(fd: number, stats: BigIntStats, path: string): Promise<string> {
  // On Linux the descriptor gives the current path, even if the file has been renamed since.
  if (process.platform === 'linux') {
    const known = await readlink(`/proc/self/fd/${fd}`, 'latin1').catch(() => undefined)
    if (known !== undefined) return known
  }
  // Elsewhere, check that the path still names this file and contains no symlink.
  const again = await realpath(bytes(path), 'latin1')
  const named = await lstat(bytes(path), { bigint: true })
  const same = again === path && named.dev === stats.dev && named.ino === stats.ino
  return same ? path : ''
}

/** The real path of a root. A root that does not exist is returned as it is; opening a file in it then fails. */
async function realRootOf(root: string): Promise<string> {
  try {
    const real = await realpath(bytes(root), 'latin1')
    rememberRoot(root, real)
    return real
  } catch {
    return root
  }
}

function outsideError({ path, roots, option }: RootedPath): FileRefusedError {
  return new FileRefusedError(`${path} does not lie in ${roots.join(', ')}`, option)
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
