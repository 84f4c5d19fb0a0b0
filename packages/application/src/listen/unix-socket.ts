// Prepares the path of a unix socket: removes a stale one, and sets the mode of the new one.
import { chmodSync, lstatSync, unlinkSync } from 'node:fs'
import { createConnection } from 'node:net'
import { isMainThread } from 'node:worker_threads'
import { systemError } from './system-error.ts'

/**
 * Removes a unix socket that no program listens on.
 * @throws Error with code EADDRINUSE if a program listens on it, or the path is not a socket.
 */
export async function clearStaleSocket(path: string): Promise<void> {
  const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false })
  if (stats === undefined) return
  if (!stats.isSocket())
    throw systemError(
      'EADDRINUSE',
      `${path} is in the way: it is not a socket, so it is not removed; choose another path`,
    )
  const code = await connectError(path)
  if (code === undefined)
    throw systemError(
      'EADDRINUSE',
      `another program listens on ${path}; stop it or choose another path`,
    )
  if (code !== 'ECONNREFUSED' && code !== 'ENOENT')
    throw systemError(code, `cannot find out whether a program listens on ${path}: ${code}`)
  if (code === 'ECONNREFUSED') unlinkSync(path)
}

function connectError(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection({ path })
    socket.once('connect', () => {
      socket.destroy()
      resolve(undefined)
    })
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
  })
}

/** Runs `bind`, which creates the socket at `path`, so that the socket has this mode from the start. */
export function withMode(path: string, mode: number, bind: () => void): void {
  if (!isMainThread) {
    bind()
    chmodSync(path, mode)
    return
  }
  // Between bind() and chmod() other users could connect, so the umask is set instead. Worker threads cannot set it.
  const mask = process.umask(0o777 & ~mode)
  try {
    bind()
  } finally {
    process.umask(mask)
  }
}
