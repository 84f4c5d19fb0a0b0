// Ends the processes that a child has left behind and that accept connections on its listening socket.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** Milliseconds between two checks whether the processes have ended. */
const CHECK_INTERVAL = 3
/** Milliseconds after which they are no longer waited for. */
const MAX_WAIT = 2000

/**
 * Kills the members of a process group that have a listening socket as descriptor 0, such as the children of a php-fpm
 * that was killed, and waits until they have ended: until then they could accept a connection and fail its request. Other
 * members, such as jobs that a page has started in the background, are left alone.
 * @param onFound called before the first one is killed.
 */
export async function endAcceptors(
  group: number,
  inode: string | undefined,
  onFound: () => void,
): Promise<void> {
  let found = acceptors(group, inode)
  if (found.length > 0) onFound()
  const deadline = performance.now() + MAX_WAIT
  while (found.length > 0 && performance.now() < deadline) {
    for (const pid of found) kill(pid)
    await new Promise((resolve) => setTimeout(resolve, CHECK_INTERVAL))
    found = acceptors(group, inode)
  }
}

function acceptors(group: number, inode: string | undefined): number[] {
  if (inode === undefined || !hasMembers(group)) return []
  let pids: string[]
  try {
    pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  } catch {
    // Without /proc nothing tells them from other descendants.
    kill(-group)
    return []
  }
  return pids
    .map(Number)
    .filter((pid) => inputOf(pid) === `socket:[${inode}]` && groupOf(pid) === group)
}

function hasMembers(group: number): boolean {
  try {
    process.kill(-group, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}

/** What descriptor 0 of a process is; undefined if the process has ended or belongs to another user. */
function inputOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/fd/0`)
  } catch {
    return undefined
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
