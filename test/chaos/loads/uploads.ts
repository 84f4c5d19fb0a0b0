/** Uploads, with a length and without; the script answers with the length and the hash of what it got. */
import { createHash } from 'node:crypto'
import { delay } from '../../helpers/wait.ts'
import { content } from '../content.ts'
import { exchange } from './exchange.ts'
import { judgePost } from './judge.ts'
import type { Load } from './load.ts'

const PIECE = 30_000

async function* pieces(body: Buffer, pause: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < body.length; at += PIECE) {
    yield body.subarray(at, at + PIECE)
    if (pause > 0) await delay(pause)
  }
}

export const upload: Load = async ({ port, random, report, id }) => {
  const name = id()
  const body = content(name, random.length(400_000))
  const withLength = random.chance(50)
  const reply = await exchange(port, '/take.php', {
    method: 'POST',
    headers: {
      'x-id': name,
      'content-type': 'application/octet-stream',
      ...(withLength && { 'content-length': body.length }),
    },
    body: pieces(body, random.chance(50) ? random.between(1, 20) : 0),
  })
  const hash = createHash('sha1').update(body).digest('hex')
  const what = withLength ? 'uploads with a length' : 'uploads without a length'
  judgePost(report, what, reply, `${name} ${body.length} ${hash}`)
}
