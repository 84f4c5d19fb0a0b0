// Opens files that were opened a moment ago, without the thread pool.

import { closeSync, fstatSync, openSync, readlinkSync, realpathSync } from 'node:fs'
import { isAbsolute, normalize } from 'node:path'
import { OpenedFile } from './opened-file.ts'
import {
  bytes,
  FLAGS,
  isBelowRoot,
  NO_SYMLINK,
  type RootedPath,
  resolveRoots,
} from './rooted-path.ts'
import { WarmPaths } from './warm-paths.ts'

/** Real paths of roots, which a symlink may switch to another directory. */
const warmRoots = new WarmPaths<string>(1000)
/** Paths that have led to a regular file on a local disk; the caches of the system are taken to know them that long. */
const warmFiles = new WarmPaths<true>(10_000)

/** Keeps the real path of a root. */
export function rememberRoot(root: string, real: string): void {
  warmRoots.set(root, real)
}

/** Keeps the path of a file on a local disk that has been opened, and whose real path is the same. */
export function rememberFile(path: string): void {
  warmFiles.set(path, true)
}

/**
 * Opens a file that was opened within the last seconds: the caches of the system know it, so a look takes a few microseconds, and in
 * the thread pool ten times as long. What is remembered only says that it is quick, not that the file may be sent: as at first,
 * the open file is checked. Returns undefined if anything is not as it was; the file is then to be opened as if for the first time.
 *
 * Only on Linux, where the real path of an open file is known at once.
 */
export function openAtOnce(place: RootedPath): OpenedFile | undefined {
  // What cannot be a path is refused where files are opened for the first time.
  if (process.platform !== 'linux' || !isAbsolute(place.path) || place.path.includes('\0'))
    return undefined
  const follow = place.followSymlinks === true
  const name = follow ? normalize(place.path) : warmName(place)
  if (name === undefined || warmFiles.get(name) === undefined) return undefined
  if (follow && !isBelowRoot(place, name)) return undefined
  let fd: number | undefined
  try {
    fd = openSync(bytes(name), follow ? FLAGS : FLAGS | NO_SYMLINK)
    const stats = fstatSync(fd, { bigint: true })
    // Without symlinks on the way, the open file is where its name says, which is below the real path of a root.
    if (stats.isFile() && (follow || readlinkSync(`/proc/self/fd/${fd}`, 'latin1') === name)) {
      warmFiles.set(name, true)
      return new OpenedFile(fd, place.path, stats, { isLocal: true, isWarm: true })
    }
  } catch {
    // Missing, a symlink, not readable: opening it as if for the first time tells.
  }
  if (fd !== undefined) closeSync(fd)
  warmFiles.delete(name)
  return undefined
}

/** The path of a warm file below the real path of its root; undefined if it is not known. */
function warmName(place: RootedPath): string | undefined {
  const last = place.roots.map((root) => warmRoots.last(root) ?? '')
  const name = last.includes('') ? undefined : resolveRoots(place, last)
  if (name === undefined || warmFiles.get(name) === undefined) return undefined
  const isCurrent = place.roots.every((root, at) => currentRoot(root) === last[at])
  return isCurrent ? name : undefined
}

function currentRoot(root: string): string | undefined {
  const known = warmRoots.get(root)
  if (known !== undefined) return known
  try {
    const real = realpathSync.native(bytes(root), 'latin1')
    warmRoots.set(root, real)
    return real
  } catch {
    return undefined
  }
}
