/** What is done to the balancer of php-fpm pools, and to the plain address, which is a php-fpm, too. */
import { delay } from '../../helpers/wait.ts'
import { send } from '../signals.ts'
import type { Server } from '../world.ts'
import {
  type Disturbance,
  freeze,
  leave,
  oneOf,
  pick,
  restartServer,
  type Scene,
} from './disturbance.ts'

/** php-fpm has renewed itself by then: it waits a second before it kills children. */
const RELOAD = 1500

async function reload({ note }: Scene, { php, address }: Server): Promise<void> {
  note(`SIGUSR2 ${address}`)
  send(php.pid, 'SIGUSR2')
  await delay(RELOAD)
}

async function killChild({ note, random }: Scene, { php, address }: Server): Promise<void> {
  const pid = oneOf(random, php.children())
  note(`SIGKILL ${pid} of ${address}`)
  if (pid !== undefined) send(pid, 'SIGKILL')
}

function disturbServer(scene: Scene, server: Server): Promise<void> {
  const disturbance = pick(scene.random, [
    [3, restartServer],
    [2, reload],
    [3, killChild],
    [2, (scene: Scene, { php }: Server) => freeze(scene, php.children())],
  ] as const)
  return disturbance(scene, server)
}

/** One pool, or several at the same time. */
const somePools: Disturbance = async (scene) => {
  const all = scene.world.pools
  const percent = oneOf(scene.random, [30, 60, 100]) ?? 100
  const some = all.filter(() => scene.random.chance(percent))
  await Promise.all(some.map((server) => disturbServer(scene, server)))
}

const onePoolLeaves: Disturbance = (scene) =>
  leave(scene, 'pools', `pool ${scene.random.between(0, scene.world.pools.length - 1)}`)

export const disturbPools: Disturbance = (scene) =>
  pick(scene.random, [
    [6, somePools],
    [2, onePoolLeaves],
    [1, (scene: Scene) => leave(scene, 'outer', 'pools')],
  ] as const)(scene)

export const disturbPlain: Disturbance = (scene) =>
  pick(scene.random, [
    [4, (scene: Scene) => disturbServer(scene, scene.world.plain)],
    [1, (scene: Scene) => leave(scene, 'outer', 'plain')],
  ] as const)(scene)
