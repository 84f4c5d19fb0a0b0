// Locks of files that several processes and threads of this computer see, as flock() and fcntl() have them. Node.js has no
// such calls, so the locks of a file stand in a table of their own, a file in the temporary directory.
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'

/** A lock of a range of bytes; locks of one kind know nothing of those of the other. */
export interface FileLock {
  readonly kind: 'flock' | 'fcntl'
  /** Who has it: the id of a process and something that is unique in it, such as `'1234-1'`. */
  readonly owner: string
  /** File descriptor; fcntl() does not tell them apart, flock() does. */
  readonly fd: number
  readonly exclusive: boolean
  readonly start: number
  /** The first byte after it. */
  readonly end: number
}

/** Milliseconds between two looks at a table that another process is changing. */
const RETRY = 1
const TABLE = '.json'

/** The tables of this user. */
export class LockFiles {
  readonly #directory: string

  constructor(directory: string = join(tmpdir(), `fastcgi-php-wasm-${userInfo().username}`)) {
    this.#directory = directory
  }

  /** Replaces the locks of a file by what `change` returns, while nobody else can; undefined leaves them as they are. */
  update(
    file: string,
    change: (locks: readonly FileLock[]) => readonly FileLock[] | undefined,
  ): void {
    const table = join(this.#directory, file + TABLE)
    const mutex = join(this.#directory, file)
    this.#enter(mutex)
    try {
      const locks = change(readTable(table).filter(({ owner }) => isAlive(owner)))
      if (locks === undefined) return
      if (locks.length > 0) writeFileSync(table, JSON.stringify(locks))
      else removeIfThere(table)
    } finally {
      removeIfThere(mutex)
      this.#removeDirectory()
    }
  }

  /** Releases all locks of an owner that has ended. */
  release(owner: string): void {
    for (const name of this.#tables())
      this.update(name.slice(0, -TABLE.length), (locks) =>
        locks.filter((lock) => lock.owner !== owner),
      )
  }

  #tables(): string[] {
    try {
      return readdirSync(this.#directory).filter((name) => name.endsWith(TABLE))
    } catch {
      return []
    }
  }

  /** Waits until this process alone has the file `mutex`. */
  #enter(mutex: string): void {
    for (;;)
      try {
        const fd = openSync(mutex, 'wx', 0o600)
        writeFileSync(fd, String(process.pid))
        closeSync(fd)
        return
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException
        if (code === 'ENOENT') mkdirSync(this.#directory, { recursive: true, mode: 0o700 })
        else if (code !== 'EEXIST') throw error
        else if (hasDeadOwner(mutex)) removeIfThere(mutex)
        else sleep(RETRY)
      }
  }

  #removeDirectory(): void {
    try {
      rmdirSync(this.#directory)
    } catch {
      // It is in use.
    }
  }
}

/** Stops the thread for so many milliseconds. */
export function sleep(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds)
}

function readTable(path: string): FileLock[] {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    // There is none, or its writer was killed while writing.
    return []
  }
}

/** Whether the process that has created a mutex has ended without removing it. */
function hasDeadOwner(mutex: string): boolean {
  try {
    const pid = readFileSync(mutex, 'utf8')
    return pid !== '' && !isAlive(pid)
  } catch {
    return false
  }
}

/** Whether there is a process whose id a text begins with. */
export function isAlive(owner: string): boolean {
  try {
    process.kill(Number.parseInt(owner, 10), 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function removeIfThere(path: string): void {
  try {
    unlinkSync(path)
  } catch {
    // Somebody else has removed it.
  }
}
