// Tells whether the machine is idle.
import { cpus } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'

/** The share of the processors that is used while this process does nothing, 0 to 1. @param time milliseconds */
export async function busyShare(time: number): Promise<number> {
  const before = used()
  await delay(time)
  const after = used()
  return (after.busy - before.busy) / (after.all - before.all)
}

function used(): { busy: number; all: number } {
  let [busy, all] = [0, 0]
  for (const { times } of cpus()) {
    const { idle, ...others } = times
    const own = Object.values(others).reduce((sum, time) => sum + time, 0)
    busy += own
    all += own + idle
  }
  return { busy, all }
}
