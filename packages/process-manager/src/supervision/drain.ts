import type { Pool } from '@fastcgi/client'
import type { Child } from '../spawning/child.ts'
import type { ProcessSettings } from './process-settings.ts'

/**
 * Takes no more requests, waits for the running ones, then signals the child. The order matters: libfcgi checks for
 * SIGTERM only between connections, and hangs in its accept loop if one is open and silent.
 * @param child returns the child, which may be replaced while requests are running.
 */
export async function drainAndStop(
  pool: Pool,
  child: () => Child | undefined,
  { drainTimeout, killSignal, killTimeout }: ProcessSettings,
): Promise<void> {
  const timer = drainTimeout === 0 ? undefined : setTimeout(() => void pool.destroy(), drainTimeout)
  await pool.close()
  clearTimeout(timer)
  await child()?.stop(killSignal, killTimeout)
}
