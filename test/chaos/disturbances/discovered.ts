/** What is done to the discovered members: to what DNS says of them, and to themselves. */
import { delay } from '../../helpers/wait.ts'
import { HOST, HOSTS, NOBODY } from '../world.ts'
import {
  type Disturbance,
  freeze,
  leave,
  oneOf,
  pick,
  restartServer,
  type Scene,
} from './disturbance.ts'

/** Longer than the interval of look-ups, and than a member that is asked in vain stays out. */
const SETTLED = 1000
/** How long DNS says something else, at the most. */
const WRONG = 2000

const ANSWERS = [[HOSTS[0]], [HOSTS[1]], [...HOSTS, NOBODY], [NOBODY], []] as const

const changeAnswer: Disturbance = async ({ world, random, note }) => {
  const answer = oneOf(random, ANSWERS) ?? []
  note(`DNS: ${answer.join() || 'nobody'}`)
  await world.dns.change({ [HOST]: answer })
  await delay(random.between(100, WRONG))
  await world.dns.change({ [HOST]: [...HOSTS] })
  await delay(SETTLED)
}

const silence: Disturbance = async ({ world, random, note }) => {
  note('DNS: silence')
  await world.dns.kill()
  await delay(random.between(100, WRONG))
  await world.dns.start({ [HOST]: [...HOSTS] })
  await delay(SETTLED)
}

const someServers: Disturbance = async (scene) => {
  const some = scene.world.hosts.filter(() => scene.random.chance(60))
  await Promise.all(
    some.map((server) =>
      scene.random.chance(50) ? restartServer(scene, server) : freeze(scene, server.php.children()),
    ),
  )
}

export const disturbDiscovered: Disturbance = (scene) =>
  pick(scene.random, [
    [3, changeAnswer],
    [1, silence],
    [3, someServers],
    [1, (scene: Scene) => leave(scene, 'outer', 'discovered')],
  ] as const)(scene)
