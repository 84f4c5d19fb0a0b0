/** A program that never starts costs nothing but the tries: memory, sockets and zombies stay as they are. */
import { readdirSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { managed, zombies } from '../helpers/applications.ts'
import { until } from '../helpers/wait.ts'

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

t.test('1,000 deaths', async (t) => {
  const { manager, log } = managed(t, {
    command: ['/bin/false'],
    processes: 2,
    restartDelay: 1,
    maxRestartDelay: 2,
    initStartDelay: 0,
  })
  const deaths = (): number => manager.processes.reduce((sum, { died }) => sum + died, 0)
  const figures = (): { descriptors: number; memory: number } => {
    // What the test itself keeps.
    log.lines.length = log.events.length = 0
    collectGarbage()
    return {
      descriptors: readdirSync('/proc/self/fd').length,
      memory: process.memoryUsage().heapUsed,
    }
  }
  await until('100 deaths', () => deaths() >= 100, 100_000)
  const before = figures()
  await until('1,100 deaths', () => deaths() >= 1100, 280_000)
  const after = figures()
  t.ok(after.descriptors <= before.descriptors + 5, 'descriptors', { before, after })
  t.ok(after.memory < before.memory + 4_000_000, 'heap', { before, after })
  t.ok(zombies() <= 2, 'zombies')
  t.comment(JSON.stringify({ before, after }))
})
