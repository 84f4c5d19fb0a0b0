/** Ranges of a file that PHP hands over. */
import { content } from '../content.ts'
import { FILE_SIZE } from '../world.ts'
import { exchange } from './exchange.ts'
import { judgeGet } from './judge.ts'
import type { Load } from './load.ts'

const FILE = content('file', FILE_SIZE)

export const file: Load = async ({ port, random, report }) => {
  const ranged = random.chance(70)
  const first = ranged ? random.between(0, FILE_SIZE - 1) : 0
  const last = ranged ? random.between(first, FILE_SIZE - 1) : FILE_SIZE - 1
  const headers = ranged ? { range: `bytes=${first}-${last}` } : {}
  const reply = await exchange(port, '/file.php', { headers })
  judgeGet(report, 'files', reply, FILE.subarray(first, last + 1), ranged ? 206 : 200)
}
