/** The bytes that page.php makes of a key. */
import { createHash } from 'node:crypto'

const BLOCK = 65_536

export function content(key: string, length: number): Buffer {
  const blocks: Buffer[] = []
  for (let left = length, block = 0; left > 0; left -= BLOCK, block++) {
    const digest = createHash('sha256').update(`${key} ${block}`).digest()
    blocks.push(Buffer.alloc(Math.min(left, BLOCK), digest))
  }
  return Buffer.concat(blocks)
}
