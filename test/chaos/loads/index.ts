/** All loads, side by side, until the end. */
import { Agent } from 'node:http'
import { Random } from '../../helpers/random.ts'
import type { Report } from '../report.ts'
import { seedOf } from '../seeds.ts'
import { pause } from '../wellness.ts'
import { brokenClient } from './broken-clients.ts'
import { events } from './events.ts'
import { file } from './files.ts'
import { get, keptGet, longGet, oldGet, slowGet } from './gets.ts'
import type { Load } from './load.ts'
import { mutated } from './mutated.ts'
import type { Posts } from './posts.ts'
import { randomRequests } from './random-requests.ts'
import { upload } from './uploads.ts'

/** How many clients each has, and the most milliseconds they wait between two requests. */
type Row = readonly [name: string, clients: number, wait: number, load: Load]

function rows(seed: number, agent: Agent, posts: Posts): readonly Row[] {
  return [
    ['get', 3, 20, get],
    ['long get', 1, 50, longGet],
    ['slow get', 1, 200, slowGet],
    ['kept get', 2, 20, keptGet(agent)],
    ['old get', 1, 50, oldGet],
    ['file', 1, 50, file],
    ['post', 3, 20, posts.load],
    ['upload', 2, 50, upload],
    ['events', 1, 50, events],
    ['broken', 1, 50, brokenClient],
    ['random', 1, 50, randomRequests(seedOf(seed, 'random requests'))],
    ['mutated', 2, 50, mutated],
  ]
}

/** Resolves after the end, when every request has ended. */
export async function runLoads(
  seed: number,
  port: number,
  report: Report,
  posts: Posts,
  running: () => boolean,
): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 2 })
  let count = 0
  const id = (): string => `${seed}-${count++}`
  const clients = rows(seed, agent, posts).flatMap(([name, clients, wait, load]) =>
    Array.from({ length: clients }, async (_, n) => {
      const random = new Random(seedOf(seed, `${name} ${n}`))
      try {
        while (running()) {
          await load({ port, random, report, id })
          await pause(random.between(0, wait), running)
        }
      } catch (error) {
        // Nobody accepts connections, or there was no end in time.
        if (running()) report.fault('hangs', `${name}: ${error}`)
      }
    }),
  )
  await Promise.all(clients)
  agent.destroy()
}
