// What systemd hands over and wants to know: sd_listen_fds(3), sd_notify(3).
import { spawn } from 'node:child_process'

/** The first file descriptor that systemd passes. */
const FIRST = 3

/** The socket that systemd has opened for this process; undefined without one. */
export function inheritedSocket(env: NodeJS.ProcessEnv): { fd: number } | undefined {
  const { LISTEN_FDS, LISTEN_PID } = env
  const isForThis = LISTEN_PID === String(process.pid) && Number(LISTEN_FDS) >= 1
  // Not for PHP and the workers.
  for (const name of ['LISTEN_FDS', 'LISTEN_PID', 'LISTEN_FDNAMES']) delete env[name]
  return isForThis ? { fd: FIRST } : undefined
}

/**
 * Tells systemd a state such as `READY=1`, if it wants to know. Node has no datagram sockets of unix, so systemd-notify sends
 * it (NotifyAccess=all). Resolves when it has been sent; a failure is not one of the site.
 */
export function notifySystemd(...states: readonly string[]): Promise<void> {
  if (!process.env.NOTIFY_SOCKET) return Promise.resolve()
  return new Promise((resolve) => {
    const args = [...states, `MAINPID=${process.pid}`]
    const sender = spawn('systemd-notify', args, { stdio: 'ignore' })
    sender.once('error', () => resolve()).once('exit', () => resolve())
  })
}
