/** What is done to the process manager and its php-cgi processes. */
import { delay } from '../../helpers/wait.ts'
import { PROCESSES } from '../gateway/upstreams.ts'
import { childrenOf, send } from '../signals.ts'
import { type Disturbance, freeze, leave, oneOf, pick, type Scene } from './disturbance.ts'

/** How often the manager is asked whether its processes are back. */
const INTERVAL = 100
/** How long that may take; it waits longer after each death. */
const DEADLINE = 60_000

const pids = ({ gateway }: Scene): number[] => childrenOf(gateway.pid, 'php-cgi')

const killOne: Disturbance = async (scene) => {
  const pid = oneOf(scene.random, pids(scene))
  if (pid === undefined) return
  const signal = scene.random.chance(70) ? 'SIGKILL' : 'SIGTERM'
  scene.note(`manager: ${signal} ${pid}`)
  send(pid, signal)
}

const killAll: Disturbance = async (scene) => {
  const all = pids(scene)
  scene.note(`manager: SIGKILL all ${all}`)
  for (const pid of all) send(pid, 'SIGKILL')
}

const stopSome: Disturbance = async (scene) => {
  const some = pids(scene).filter(() => scene.random.chance(60))
  if (some.length > 0) await freeze(scene, some)
}

const restart: Disturbance = async (scene) => {
  scene.note('manager: restart()')
  await scene.gateway.ask({ kind: 'restart' })
}

/** Until it has all its processes. */
async function recovery({ gateway }: Scene): Promise<void> {
  const end = performance.now() + DEADLINE
  for (;;) {
    const { processes } = await gateway.figures()
    if (processes.filter((state) => state === 'running').length >= PROCESSES) return
    if (performance.now() > end)
      throw new Error(`the manager has not got its processes back: ${processes}`)
    await delay(INTERVAL)
  }
}

export const disturbManager: Disturbance = async (scene) => {
  const disturbance = pick(scene.random, [
    [4, killOne],
    [3, killAll],
    [3, stopSome],
    [1, restart],
    [2, (scene: Scene) => leave(scene, 'outer', 'manager')],
  ] as const)
  await disturbance(scene)
  await recovery(scene)
}
