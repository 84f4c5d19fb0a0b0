/** A seed for each that needs one, made of that of the run: what one does takes no numbers from another. */
import { createHash } from 'node:crypto'

export function seedOf(seed: number, name: string): number {
  return createHash('sha256').update(`${seed} ${name}`).digest().readUInt32BE(0)
}
