// Ends the processes that a child has left behind and that accept connections on its listening socket.
import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs'

/** Milliseconds between two checks whether the processes have ended. */
const CHECK_INTERVAL = 3
/** Milliseconds after which they are no longer waited for. */
const MAX_WAIT = 2000

/** A child that has exited. */
export interface Leader {
  /** Its process id, which is that of its process group. */
  readonly pid: number
  /** Path of its program. */
  readonly program: string
  /** Inode of its listening socket. */
  readonly inode: string
}

/**
 * Kills the descendants of a child that accept on its socket, such as the children of a php-fpm that was killed, and waits
 * until they have ended: until then they could accept a connection and fail its request. Other descendants, such as jobs
 * that a page has started in the background, are left alone.
 * @param onFound called before the first one is killed.
 */
export async function endAcceptors(leader: Leader, onFound: () => void): Promise<void> {
  let found = acceptors(leader)
  if (found.length > 0) onFound()
  const deadline = performance.now() + MAX_WAIT
  while (found.length > 0 && performance.now() < deadline) {
    for (const pid of found) kill(pid)
    await new Promise((resolve) => setTimeout(resolve, CHECK_INTERVAL))
    found = acceptors(leader)
  }
}

/**
 * The members of the process group that accept on the socket: they have it as descriptor 0 (php-cgi, libfcgi), or have it
 * and run the same program (php-fpm). A background job may have inherited it as another descriptor; the shell that starts
 * it gives it /dev/null as descriptor 0.
 */
function acceptors({ pid: group, program, inode }: Leader): number[] {
  if (!hasMembers(group)) return []
  const name = `socket:[${inode}]`
  const executable = realPath(program)
  const accepts = (pid: number): boolean =>
    target(`/proc/${pid}/fd/0`) === name ||
    (executableOf(pid) === executable && descriptors(pid).includes(name))
  try {
    const pids = readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))
    return pids.map(Number).filter((pid) => groupOf(pid) === group && accepts(pid))
  } catch {
    // Without /proc nothing tells them from other descendants.
    kill(-group)
    return []
  }
}

function hasMembers(group: number): boolean {
  try {
    process.kill(-group, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}

/** The target of a symbolic link; undefined if its process has ended or belongs to another user. */
function target(link: string): string | undefined {
  try {
    return readlinkSync(link)
  } catch {
    return undefined
  }
}

/** The file that a process executes, which may have been replaced since its start. */
function executableOf(pid: number): string | undefined {
  return target(`/proc/${pid}/exe`)?.replace(/ \(deleted\)$/, '')
}

/** What the descriptors of a process are. */
function descriptors(pid: number): Array<string | undefined> {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => target(`/proc/${pid}/fd/${fd}`))
  } catch {
    return []
  }
}

function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}

/** The process group: the third field after the name of the program, which is in parentheses. */
function groupOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2])
  } catch {
    return undefined
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // ESRCH: it has ended.
  }
}
