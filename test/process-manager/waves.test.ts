/** All processes are killed at once: how long nobody answers. */
import type { ProcessManager } from '@fastcgi/process-manager'
import t from 'tap'
import { application, ask, managed, NEEDS_LIBFCGI } from '../helpers/applications.ts'
import { nothingEscapes } from '../helpers/strict.ts'
import { scaled } from '../helpers/time-limit.ts'
import { delay, until, within } from '../helpers/wait.ts'

nothingEscapes()

const RESTART_DELAY = 1000

const running = (manager: ProcessManager): number[] =>
  manager.processes.flatMap(({ state, pid }) =>
    state === 'running' && pid !== undefined ? [pid] : [],
  )

/** Kills all that run; returns after how many milliseconds there is an answer. */
async function killAll(manager: ProcessManager): Promise<number> {
  const died = (): number => manager.processes.reduce((sum, process) => sum + process.died, 0)
  const [before, pids] = [died(), manager.processes.flatMap(({ pid }) => pid ?? [])]
  const killed = performance.now()
  for (const pid of pids) process.kill(pid, 'SIGKILL')
  await until('their end', () => died() >= before + pids.length)
  for (;;) {
    const pid = await ask(manager, {}).catch(() => undefined)
    if (pid !== undefined) return performance.now() - killed
    await delay(5)
  }
}

for (const processes of [1, 4, 8])
  t.test(`${processes} processes`, NEEDS_LIBFCGI, async (t) => {
    const { manager, log } = managed(t, {
      ...application('libfcgi (C)').options(),
      processes,
      initStartDelay: 0,
      restartDelay: RESTART_DELAY,
    })
    await until('all of them', () => running(manager).length === processes)
    const outage = await within('an answer', killAll(manager), 20_000)
    t.ok(outage <= scaled(1.5 * RESTART_DELAY), `${Math.round(outage)} ms`)
    t.notOk(log.lines.some((line) => line.includes('failure 2')))
    await until('all of them', () => running(manager).length === processes)
  })

for (const processes of [1, 4])
  t.test(`${processes} processes, two waves`, NEEDS_LIBFCGI, async (t) => {
    const { manager } = managed(t, {
      ...application('libfcgi (C)').options(),
      processes,
      initStartDelay: 0,
      restartDelay: RESTART_DELAY,
    })
    await until('all of them', () => running(manager).length === processes)
    for (const pid of running(manager)) process.kill(pid, 'SIGKILL')
    await until('their end', () => running(manager).length === 0)
    await until('the first one that is back', () => running(manager).length > 0, 20_000)
    const outage = await within('an answer', killAll(manager), 20_000)
    t.ok(outage <= scaled(1.5 * RESTART_DELAY), `${Math.round(outage)} ms`)
  })
