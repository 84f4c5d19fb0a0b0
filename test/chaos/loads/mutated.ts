/** Requests to the application of mutated responses: whatever comes, it comes to an end. */
import { exchange } from './exchange.ts'
import { tell } from './judge.ts'
import type { Load } from './load.ts'

export const mutated: Load = async ({ port, random, report, id }) => {
  const post = random.chance(30)
  const path = `/mutated/${random.chance(30) ? 'shared/' : ''}${id()}`
  const reply = await exchange(port, path, {
    method: post ? 'POST' : 'GET',
    ...(post && { body: Buffer.alloc(random.length(100_000), 'm') }),
  })
  report.count('mutated responses')
  if (reply.end === 'late') report.fault('hangs', tell('mutated', reply))
}
