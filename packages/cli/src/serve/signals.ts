// The signals that the primary process follows.
import { closeSync, openSync } from 'node:fs'

/** Resolves when the command is to end. A second signal then ends the process at once. */
export function stopSignal(): Promise<undefined> {
  return new Promise((resolve) => {
    const stop = (): void => {
      for (const name of ENDING) process.off(name, stop)
      process.off('SIGHUP', stopIfHungUp)
      resolve(undefined)
    }
    const stopIfHungUp = (): void => {
      if (isHungUp()) stop()
    }
    for (const name of ENDING) process.on(name, stop)
    process.on('SIGHUP', stopIfHungUp)
  })
}

const ENDING = ['SIGTERM', 'SIGINT'] as const

/** Calls `reload` for every SIGHUP that does not mean that the terminal has been closed. */
export function onReloadSignal(reload: () => void): void {
  process.on('SIGHUP', () => {
    if (!isHungUp()) reload()
  })
}

/** Whether the terminal that this process was started on is gone: it then cannot be opened any more. */
function isHungUp(): boolean {
  if (!process.stderr.isTTY) return false
  try {
    closeSync(openSync('/dev/tty', 'r'))
    return false
  } catch {
    return true
  }
}
