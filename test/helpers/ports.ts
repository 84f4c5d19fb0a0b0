/** Ports for programs that come back to them after they were away. */
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'

/** Below those that systems give to outgoing connections, one of which could have the port meanwhile. */
const RANGE: readonly [number, number] = [12_000, 32_000]
const TRIES = 50

/** A port of all of 127.0.0.0/8 that nobody listens on. */
export async function lastingPort(): Promise<number> {
  for (let tries = 0; tries < TRIES; tries++) {
    const port = randomInt(...RANGE)
    if (await isFree(port)) return port
  }
  throw new Error(`no free port in ${TRIES} tries`)
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  try {
    await once(server.listen(port), 'listening')
  } catch {
    return false
  }
  server.close()
  await once(server, 'close')
  return true
}
