/** One run: one adapter, from the start of everything to the end of everything. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { AdapterName } from '../helpers/adapters.ts'
import { disturb } from './disturbances/index.ts'
import { endGateway } from './end.ts'
import { GatewayProcess } from './gateway/process.ts'
import { Heap } from './heap.ts'
import { runLoads } from './loads/index.ts'
import { Posts } from './loads/posts.ts'
import { measure, type State, settle } from './quiet.ts'
import { Report } from './report.ts'
import { seedOf } from './seeds.ts'
import { pause } from './wellness.ts'
import { World } from './world.ts'

/** Milliseconds of load without chaos: code is compiled, pools are filled. */
const WARM_UP = 5000
/** Milliseconds between two looks at the gateway. */
const LOOK = 2000

export async function run(adapter: AdapterName, seed: number, seconds: number): Promise<Report> {
  const report = new Report(adapter)
  const world = await World.start(seedOf(seed, 'mutations'))
  try {
    const gateway = await GatewayProcess.start(world.setup(adapter))
    try {
      await underChaos(world, gateway, report, seed, seconds)
    } catch (error) {
      // When the gateway has ended, that is told by how it ended.
      if (gateway.ended === undefined)
        report.fault('broken', error instanceof Error ? (error.stack ?? '') : String(error))
    } finally {
      await endGateway(gateway, report)
    }
    const left = readdirSync(join(world.directory, 'spool'))
    if (left.length > 0) report.fault('leftFiles', left.join(), left.length)
  } finally {
    await world.close()
  }
  return report
}

async function underChaos(
  world: World,
  gateway: GatewayProcess,
  report: Report,
  seed: number,
  seconds: number,
): Promise<void> {
  const posts = new Posts()
  const alive = (): boolean => gateway.ended === undefined && report.faults.broken === 0
  const until = (end: number) => () => performance.now() < end && alive()
  const load = (name: string, running: () => boolean): Promise<void> =>
    runLoads(seedOf(seed, name), gateway.port, report, posts, running)

  await load('warm-up', until(performance.now() + WARM_UP))
  const before = await measure(gateway)

  const running = until(performance.now() + seconds * 1000)
  const heap = new Heap()
  const stage = { seed, world, gateway, report, running }
  const chaos = disturb(stage)
  // What is disturbed at the end becomes well before the load ends.
  let undone = false
  const loaded = load('chaos', () => !undone && alive())
  await Promise.all([
    chaos.finally(() => {
      undone = true
    }),
    loaded,
    look(gateway, report, heap, running),
  ])
  posts.check(world.directory, report)
  const after = await settle(gateway, before, report)
  judge(report, before, after, heap, seconds)
}

/** Looks at the gateway now and then. */
async function look(
  gateway: GatewayProcess,
  report: Report,
  heap: Heap,
  running: () => boolean,
): Promise<void> {
  while (running()) {
    const { log, warnings } = await gateway.figures()
    for (const line of log) report.note(`gateway: ${line}`)
    for (const warning of warnings) report.fault('warnings', warning)
    heap.add(await gateway.memory())
    await pause(LOOK, running)
  }
}

function judge(report: Report, before: State, after: State, heap: Heap, seconds: number): void {
  for (const [name, key] of [
    ['descriptors, before and after', 'descriptors'],
    ['processes, before and after', 'processes'],
  ] as const)
    report.measured.set(name, `${before[key]} ${after[key]}`)
  const { memory: first } = before
  const { memory: last } = after
  report.measured.set('heap, before and after, MB', `${megabytes(first)} ${megabytes(last)}`)
  const slope = heap.slope()
  report.measured.set('heap, MB a minute', (slope / 1e6).toFixed(2))
  report.measured.set('heap, MB a minute, each half', heap.halves())
  const excess = heap.excess(first, last, seconds)
  if (excess !== undefined) report.fault('heapGrowth', excess)
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1)
