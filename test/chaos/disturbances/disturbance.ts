import type { Random } from '../../helpers/random.ts'
import { delay } from '../../helpers/wait.ts'
import type { GatewayProcess } from '../gateway/process.ts'
import { send } from '../signals.ts'
import type { Server, World } from '../world.ts'

/** What disturbances work on. */
export interface Scene {
  world: World
  gateway: GatewayProcess
  random: Random
  /** Tells what is done. */
  note(what: string): void
}

/** Does something to a member and undoes it: when it resolves, the member is well. */
export type Disturbance = (scene: Scene) => Promise<void>

/** How long a process stands still, at the most. */
const STOPPED = 2500
/** How long a server is away, at the most. */
const AWAY = 2000

/** One of several, each as often as its weight says. */
export function pick<T>(random: Random, choices: ReadonlyArray<readonly [weight: number, T]>): T {
  let rest = random.next() * choices.reduce((sum, [weight]) => sum + weight, 0)
  for (const [weight, choice] of choices) {
    rest -= weight
    if (rest < 0) return choice
  }
  return choices.at(-1)?.[1] as T
}

export function oneOf<T>(random: Random, list: readonly T[]): T | undefined {
  return list[random.between(0, list.length - 1)]
}

/** Stops processes for a while; some are killed meanwhile. */
export async function freeze(scene: Scene, pids: readonly number[]): Promise<void> {
  const { random, note } = scene
  note(`SIGSTOP ${pids}`)
  for (const pid of pids) send(pid, 'SIGSTOP')
  await delay(random.between(1, STOPPED))
  for (const pid of pids) {
    const signal = random.chance(20) ? 'SIGKILL' : 'SIGCONT'
    note(`${signal} ${pid}`)
    send(pid, signal)
  }
}

/** Ends a server, in whatever way, and starts it again after a while. */
export async function restartServer(scene: Scene, server: Server): Promise<void> {
  const { random, note } = scene
  const signal = oneOf(random, ['SIGTERM', 'SIGQUIT', 'SIGKILL'] as const) ?? 'SIGKILL'
  note(`${signal} ${server.address}`)
  await server.php.stop(signal)
  await delay(random.between(0, AWAY))
  await server.start()
  note(`started ${server.address}`)
}

/** Takes a member out of its balancer for a while. */
export async function leave(
  scene: Scene,
  balancer: 'outer' | 'pools',
  member: string,
): Promise<void> {
  const { gateway, random, note } = scene
  if (random.chance(60)) {
    note(`drain ${member}`)
    await gateway.ask({ kind: 'drain', balancer, member })
    await delay(random.between(0, AWAY))
  }
  note(`remove ${member}`)
  const removed = gateway.ask({ kind: 'remove', balancer, member })
  // It may come back before what runs on it has ended.
  if (random.chance(50)) await removed
  await delay(random.between(0, AWAY))
  await gateway.ask({ kind: 'add', balancer, member })
  note(`added ${member}`)
  await removed
}
