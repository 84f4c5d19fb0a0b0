// Measures the transfer of one large body.
import type { Contestant } from '../servers/contestants.ts'
import { RawClient } from './raw-client.ts'

/** What one contestant did in one transfer. */
export interface Transfer {
  name: string
  seconds: number
  /** Seconds of CPU time. */
  cpu: number
  /** Growth of resident memory at its peak, in bytes. */
  growth: number
}

/** Has a client of its own transfer something from or to a contestant. */
export async function transfer(
  contestant: Contestant,
  bytes: number,
  run: (client: RawClient) => Promise<unknown>,
): Promise<Transfer> {
  await contestant.settle()
  contestant.forgetPeak()
  const memory = contestant.memory
  const cpu = contestant.cpuSeconds
  const client = await RawClient.connect(contestant.port)
  const begun = performance.now()
  await run(client)
  const seconds = (performance.now() - begun) / 1000
  client.close()
  console.log(`${contestant.name}: ${Math.round(bytes / 1e6 / seconds)} MB/s`)
  return {
    name: contestant.name,
    seconds,
    cpu: contestant.cpuSeconds - cpu,
    growth: contestant.peakMemory - memory,
  }
}
