// flock() and fcntl() of PHP for files of the host.
import { fstatSync } from 'node:fs'
import { type FileLock, LockFiles, sleep } from '../lock-files.ts'
import type { FileStream } from './emscripten.ts'

/** Milliseconds between two attempts to get a lock that somebody else has. */
const RETRY = 5

/** A lock that is asked for, or, with `type` unlocked, given back. */
export interface LockRequest {
  readonly kind: FileLock['kind']
  readonly type: 'shared' | 'exclusive' | 'unlocked'
  readonly start: number
  readonly end: number
}

/** The locks of one instance of PHP. */
export class FileLocks {
  readonly #owner: string
  readonly #files: LockFiles
  /** Files that it has locked, by the file descriptor it used. */
  readonly #locked = new Map<number, string>()

  /** @param owner the id of this process, and something that is unique in it: `'1234-1'`. */
  constructor(owner: string, files: LockFiles = new LockFiles()) {
    this.#owner = owner
    this.#files = files
  }

  /** Sets or releases a lock; false if somebody else has one that excludes it. */
  set(nfd: number, request: LockRequest, wait: boolean): boolean {
    const file = identityOf(nfd)
    for (;;) {
      if (this.#trySet(nfd, file, request)) return true
      if (!wait) return false
      sleep(RETRY)
    }
  }

  /** The lock of somebody else that excludes a lock. */
  find(nfd: number, request: LockRequest): FileLock | undefined {
    let found: FileLock | undefined
    this.#files.update(identityOf(nfd), (locks) => {
      found = this.#conflict(locks, nfd, request)
      return undefined
    })
    return found
  }

  /** Before a file is closed: fcntl() locks of the whole process end then, flock() locks of this descriptor. */
  close({ nfd }: FileStream): void {
    if (nfd === undefined || this.#locked.size === 0) return
    const file = this.#locked.get(nfd) ?? identityOf(nfd)
    if (![...this.#locked.values()].includes(file)) return
    this.#locked.delete(nfd)
    this.#files.update(file, (locks) => locks.filter((lock) => !this.#isOwn(lock, nfd, lock.kind)))
  }

  #trySet(nfd: number, file: string, request: LockRequest): boolean {
    let granted = true
    this.#files.update(file, (locks) => {
      granted = request.type === 'unlocked' || this.#conflict(locks, nfd, request) === undefined
      return granted ? this.#replace(locks, nfd, request) : undefined
    })
    if (granted && request.type !== 'unlocked') this.#locked.set(nfd, file)
    return granted
  }

  #conflict(locks: readonly FileLock[], nfd: number, request: LockRequest): FileLock | undefined {
    return locks.find(
      (lock) =>
        lock.kind === request.kind &&
        !this.#isOwn(lock, nfd, request.kind) &&
        overlaps(lock, request) &&
        (lock.exclusive || request.type === 'exclusive'),
    )
  }

  /** Cuts the range out of the own locks, and adds the new one. */
  #replace(locks: readonly FileLock[], nfd: number, request: LockRequest): FileLock[] {
    const { kind, type, start, end } = request
    const rest = locks.flatMap((lock) => {
      if (lock.kind !== kind || !this.#isOwn(lock, nfd, kind) || !overlaps(lock, request))
        return [lock]
      const before = { ...lock, end: start }
      const after = { ...lock, start: end }
      return [before, after].filter((part) => part.start < part.end)
    })
    if (type === 'unlocked') return rest
    return [
      ...rest,
      { kind, owner: this.#owner, fd: nfd, exclusive: type === 'exclusive', start, end },
    ]
  }

  #isOwn(lock: FileLock, nfd: number, kind: FileLock['kind']): boolean {
    return lock.owner === this.#owner && (kind === 'fcntl' || lock.fd === nfd)
  }
}

function overlaps(
  one: { start: number; end: number },
  other: { start: number; end: number },
): boolean {
  return one.start < other.end && other.start < one.end
}

function identityOf(nfd: number): string {
  const { dev, ino } = fstatSync(nfd, { bigint: true })
  return `${dev}-${ino}`
}
