/** A gateway in a process of its own, whose memory can be looked at. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { type AdapterName, type AdapterOptions, startAdapter } from './adapters.ts'
import { within } from './wait.ts'

/** Bytes, after a garbage collection. */
export interface Memory {
  rss: number
  /** Heap in use, and what Buffers hold. */
  used: number
}

export interface ForkedGateway {
  port: number
  memory(): Promise<Memory>
}

/** A process that starts beside many others, or sends as fast as it can, takes its time to answer. */
const LONG = 30_000

/** This file is also what the process runs. */
const PROGRAM = fileURLToPath(import.meta.url)

/** Starts a gateway; its process ends with the test. */
export async function forkGateway(
  t: Test,
  name: AdapterName,
  options: AdapterOptions,
): Promise<ForkedGateway> {
  const child = fork(PROGRAM, [name, JSON.stringify(options)], { execArgv: ['--expose-gc'] })
  const exited = once(child, 'exit')
  t.teardown(async () => {
    if (child.connected) child.disconnect()
    await within('the gateway to end', exited)
  })
  const answer = async () => (await within('the gateway process', once(child, 'message'), LONG))[0]
  const { port } = await answer()
  const memory = (): Promise<Memory> => {
    child.send('memory')
    return answer()
  }
  return { port, memory }
}

async function serve(name: AdapterName, options: string): Promise<void> {
  // Without a test, the end of the process is the end of the server.
  const untested = { teardown: () => {} } as unknown as Test
  const { port } = await startAdapter(untested, name, JSON.parse(options) as AdapterOptions)
  process.on('disconnect', () => process.exit())
  process.on('message', () => {
    globalThis.gc?.()
    const { rss, heapUsed, external } = process.memoryUsage()
    process.send?.({ rss, used: heapUsed + external } satisfies Memory)
  })
  process.send?.({ port })
}

if (process.argv[1] === PROGRAM)
  await serve(process.argv[2] as AdapterName, process.argv[3] ?? '{}')
