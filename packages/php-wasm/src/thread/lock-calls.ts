// The calls by which PHP locks files, in Emscripten's terms.

import type { UserSpace } from './emscripten.ts'
import type { FileLocks, LockRequest } from './file-locks.ts'

/** The calls that take the place of Emscripten's own ones, which lock nothing. */
export interface LockCalls {
  fcntl64(fd: number, command: number, varargs: number): number
  flock(fd: number, operation: number): number
  fd_close(fd: number): number
  js_release_file_locks(): void
}

/** Range of flock(), and of a length of 0 in fcntl(): to the end of the file, however long it becomes. */
const WHOLE = { start: 0, end: Number.MAX_SAFE_INTEGER }

/**
 * Makes the calls. Only files of the host can be locked: those of PHP's own file system nobody else sees. Nor are those
 * below `cacheDirectory`: opcache locks each file that it reads, and finds out by checksums if one is not complete.
 */
export function lockCalls(locks: FileLocks, space: UserSpace, cacheDirectory: string): LockCalls {
  const { constants, errnoCodes, memory, wasmImports, FS } = space
  const hostFile = (fd: number): number | undefined => {
    const stream = FS.getStream(fd)
    return stream?.path?.startsWith(cacheDirectory) ? undefined : stream?.nfd
  }

  /** Reads a `struct flock`: short type, short whence, 64-bit start and length. */
  const readLock = (pointer: number, position: number): LockRequest => {
    const type = memory.HEAP16.get(pointer >> 1)
    const start = Number(memory.HEAP64.get((pointer + 8) >> 3)) + position
    const length = Number(memory.HEAP64.get((pointer + 16) >> 3))
    const name =
      type === constants.F_RDLCK ? 'shared' : type === constants.F_WRLCK ? 'exclusive' : 'unlocked'
    return { kind: 'fcntl', type: name, start, end: length === 0 ? WHOLE.end : start + length }
  }

  return {
    fcntl64(fd, command, varargs) {
      const { F_GETLK, F_SETLK, F_SETLKW } = constants
      const stream = FS.getStream(fd)
      const isLock = [F_GETLK, F_SETLK, F_SETLKW].includes(command)
      if (!isLock || stream?.nfd === undefined)
        return wasmImports.builtin_fcntl64(fd, command, varargs)
      const pointer = memory.HEAP32.get(varargs >> 2)
      const whence = memory.HEAP16.get((pointer >> 1) + 1)
      const request = readLock(pointer, whence === 1 ? stream.position : 0)
      if (command !== F_GETLK)
        return locks.set(stream.nfd, request, command === F_SETLKW) ? 0 : -errnoCodes.EAGAIN
      if (locks.find(stream.nfd, request) === undefined)
        memory.HEAP16.set(pointer >> 1, constants.F_UNLCK)
      return 0
    },
    flock(fd, operation) {
      const nfd = hostFile(fd)
      if (nfd === undefined) return 0
      const { LOCK_SH, LOCK_EX, LOCK_NB } = constants
      const type = operation & LOCK_EX ? 'exclusive' : operation & LOCK_SH ? 'shared' : 'unlocked'
      const request: LockRequest = { kind: 'flock', type, ...WHOLE }
      return locks.set(nfd, request, (operation & LOCK_NB) === 0) ? 0 : -errnoCodes.EWOULDBLOCK
    },
    fd_close(fd) {
      const stream = FS.getStream(fd)
      if (stream) locks.close(stream)
      return wasmImports.builtin_fd_close(fd)
    },
    js_release_file_locks() {
      // Each file is closed by fd_close().
    },
  }
}
