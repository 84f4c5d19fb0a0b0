/** Streams of events, each of which is flushed. */
import { exchange } from './exchange.ts'
import { tell } from './judge.ts'
import type { Load } from './load.ts'

export const events: Load = async ({ port, random, report, id }) => {
  const key = id()
  const count = random.between(1, 12)
  const path = `/events.php?key=${key}&count=${count}&pause=${random.between(1, 80)}`
  const reply = await exchange(port, path)
  report.count('event streams')
  const expected = Array.from({ length: count }, (_, n) => `data: ${key} ${n}\n\n`).join('')
  if (reply.end === 'whole' && reply.status === 200) {
    if (reply.body.toString() !== expected) report.fault('truncated', tell('events', reply))
  } else if (reply.end === 'cut' && expected.startsWith(reply.body.toString()))
    report.count('event streams cut off, and seen to be')
  else report.fault(reply.end === 'late' ? 'hangs' : 'failedGets', tell('events', reply))
}
