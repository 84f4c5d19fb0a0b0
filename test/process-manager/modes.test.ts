/** Every kind of application under every mode; scaling with real processes. */
import type { ProcessManagerOptions } from '@fastcgi/process-manager'
import t from 'tap'
import {
  APPLICATIONS,
  application,
  ask,
  isAlive,
  managed,
  NEEDS_LIBFCGI,
} from '../helpers/applications.ts'
import { scaled } from '../helpers/time-limit.ts'
import { until } from '../helpers/wait.ts'

const MODES: Readonly<Record<string, Partial<ProcessManagerOptions>>> = {
  static: { mode: 'static', processes: 2, initStartDelay: 0 },
  adaptive: { mode: 'adaptive', minProcesses: 0, maxProcesses: 2 },
  dynamic: { mode: 'dynamic', startDelay: 50 },
}

for (const { name, needs, options, params } of APPLICATIONS)
  t.test(name, needs, async (t) => {
    for (const [mode, more] of Object.entries(MODES))
      t.test(mode, async (t) => {
        const { manager, log } = managed(t, { ...options(), ...more })
        const answers = await Promise.all(Array.from({ length: 20 }, () => ask(manager, params)))
        const pids = new Set(log.events.flatMap(({ pid }) => pid ?? []))
        t.ok(
          answers.every((pid) => pids.has(pid)),
          'its processes answer',
          { answers: [...new Set(answers)], pids: [...pids] },
        )
        t.equal(manager.stats.failed, 0)
        const before = manager.processes.flatMap(({ pid }) => pid ?? [])
        await manager.restart()
        const after = await ask(manager, params)
        t.notOk(before.includes(after), 'restart() replaces them')
        await manager.close()
        t.notOk([...pids, after].some(isAlive), 'none is left when it is closed')
        t.same(manager.processes, [])
      })
  })

t.test('several requests at a time, where the program can', async (t) => {
  const { options, params } = application('Node.js')
  const { manager } = managed(t, { ...options(), concurrency: 8 })
  await ask(manager, params)
  const begun = performance.now()
  const wait = scaled(300)
  await Promise.all(
    Array.from({ length: 8 }, () => ask(manager, { ...params, WAIT: String(wait) })),
  )
  t.ok(performance.now() - begun < 8 * wait, 'side by side')
})

t.test('adaptive: more with load, fewer without', NEEDS_LIBFCGI, async (t) => {
  const { manager, log } = managed(t, {
    ...application('libfcgi (C)').options(),
    mode: 'adaptive',
    minProcesses: 1,
    maxProcesses: 3,
    idleTimeout: 100,
  })
  let over = false
  const clients = Array.from({ length: 6 }, async () => {
    while (!over) await ask(manager, { WAIT: '20' })
  })
  await until('three processes', () => manager.processes.length === 3, 20_000)
  over = true
  await Promise.all(clients)
  await until('one process', () => manager.processes.length === 1, 20_000)
  t.equal(log.events.filter(({ event }) => event === 'stopped').length, 2)
  t.equal(manager.processes[0]?.name, 'responder-0', 'the first one stays')
  t.equal(manager.stats.failed, 0)
})

t.test(
  'dynamic: a further process after startDelay, for one that waits',
  NEEDS_LIBFCGI,
  async (t) => {
    const { manager } = managed(t, {
      ...application('libfcgi (C)').options(),
      mode: 'dynamic',
      startDelay: 200,
      maxClassProcesses: 2,
    })
    t.same(manager.processes, [], 'none without demand')
    const first = ask(manager, { WAIT: '3000' })
    await until('the first one', () => manager.processes[0]?.load === 1)
    const second = ask(manager, { WAIT: '0' })
    t.not(await second, await first, 'another process answers meanwhile')
    t.equal(manager.processes.length, 2)
  },
)
