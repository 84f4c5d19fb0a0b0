/** POSTs that must not be executed twice; each has an id, which the script appends to a file. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Report } from '../report.ts'
import { exchange } from './exchange.ts'
import { judgePost } from './judge.ts'
import type { Load } from './load.ts'

/** What was answered, by id. */
export class Posts {
  readonly #answers = new Map<string, number>()

  readonly load: Load = async ({ port, random, report, id }) => {
    const name = id()
    const body = Buffer.alloc(random.length(5000), 'x')
    const reply = await exchange(port, `/once.php?wait=${random.between(0, 20)}`, {
      method: 'POST',
      headers: { 'x-id': name, 'content-type': 'application/octet-stream' },
      body,
    })
    judgePost(report, 'POSTs', reply, `${name} ${body.length}`)
    this.#answers.set(name, reply.end === 'whole' ? reply.status : 0)
  }

  /** Compares the answers with what was executed. */
  check(directory: string, report: Report): void {
    const executed = new Map<string, number>()
    for (const id of readFileSync(join(directory, 'posts'), 'utf8').split('\n').filter(Boolean))
      executed.set(id, (executed.get(id) ?? 0) + 1)
    for (const [id, status] of this.#answers) {
      const times = executed.get(id) ?? 0
      if (times > 1) report.fault('doubledPosts', `${id}: ${times} times, answered with ${status}`)
      if (status === 503 && times > 0) report.fault('overloadedPosts', id)
      if (status === 200 && times === 0) report.fault('lostPosts', id)
    }
  }
}
