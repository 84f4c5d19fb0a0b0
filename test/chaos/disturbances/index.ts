/** Disturbs all members, each on its own, except whoever is to be well. */
import { Random } from '../../helpers/random.ts'
import { MEMBERS, type MemberName } from '../gateway/messages.ts'
import type { GatewayProcess } from '../gateway/process.ts'
import type { Report } from '../report.ts'
import { seedOf } from '../seeds.ts'
import { pause, Wellness } from '../wellness.ts'
import type { World } from '../world.ts'
import { disturbDiscovered } from './discovered.ts'
import type { Disturbance } from './disturbance.ts'
import { disturbManager } from './manager.ts'
import { disturbPlain, disturbPools } from './pools.ts'

const DISTURBANCES: Readonly<Record<MemberName, Disturbance>> = {
  manager: disturbManager,
  pools: disturbPools,
  discovered: disturbDiscovered,
  plain: disturbPlain,
}
/** Between two disturbances of a member. */
const PAUSE: readonly [number, number] = [50, 1500]

export interface Chaos {
  seed: number
  world: World
  gateway: GatewayProcess
  report: Report
  running(): boolean
}

/** Resolves after the end, when all members are well. */
export async function disturb({ seed, world, gateway, report, running }: Chaos): Promise<void> {
  const note = (line: string): void => report.note(line)
  const wellness = new Wellness(new Random(seedOf(seed, 'wellness')), note)
  const actors = MEMBERS.map(async (name) => {
    const random = new Random(seedOf(seed, name))
    const run = () => DISTURBANCES[name]({ world, gateway, random, note })
    try {
      while (running()) {
        await pause(random.between(...PAUSE), running)
        if (running() && (await wellness.disturb(name, run))) report.count(`disturbances: ${name}`)
      }
    } catch (error) {
      // It is not known to be well again: the run ends. When the gateway has ended, that is told elsewhere.
      if (gateway.ended === undefined)
        report.fault('broken', `${name}: ${error instanceof Error ? error.stack : error}`)
    }
  })
  await Promise.all([wellness.rotate(running), ...actors])
}
