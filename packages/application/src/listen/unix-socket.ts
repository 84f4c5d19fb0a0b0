import { chmodSync, lstatSync, unlinkSync } from 'node:fs'
import { createConnection } from 'node:net'
import { isMainThread } from 'node:worker_threads'
import { systemError } from './system-error.ts'

/**
 * Makes room for a unix socket: takes away one that nobody listens on.
 * @throws Error with code EADDRINUSE where somebody does, or where the path is no socket.
 */
export async function clearStaleSocket(path: string): Promise<void> {
  const stats = lstatSync(path, { throwIfNoEntry: false })
  if (stats === undefined) return
  if (!stats.isSocket())
    throw systemError(
      'EADDRINUSE',
      `${path} is in the way: it is not a socket, so it is not removed`,
    )
  const code = await connectError(path)
  if (code === undefined)
    throw systemError(
      'EADDRINUSE',
      `another program listens on ${path}; stop it or choose another path`,
    )
  if (code !== 'ECONNREFUSED' && code !== 'ENOENT')
    throw systemError(code, `whether a program listens on ${path} cannot be found out: ${code}`)
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

/** Runs `bind`, which makes the socket at `path`, so that it has this mode from the start. */
export function withMode(path: string, mode: number, bind: () => void): void {
  if (!isMainThread) {
    bind()
    chmodSync(path, mode)
    return
  }
  // Not chmod(), before which anybody could connect. Other threads cannot set the umask.
  const mask = process.umask(0o777 & ~mode)
  try {
    bind()
  } finally {
    process.umask(mask)
  }
}
