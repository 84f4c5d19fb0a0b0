/** Clients that ask again and again, here or in a process of their own. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { FastCGIClient, type FastCGIRequest, type PoolOptions } from '@fastcgi/client'
import { within } from './wait.ts'

/** What clients found. */
export interface LoadResult {
  /** Answers per client. */
  counts: number[]
  /** Milliseconds each answer took, in order of size. */
  times: number[]
  /** Messages of the failures. */
  failures: string[]
}

export interface Load {
  address: string
  params: Record<string, string>
  clients: number
  /** Milliseconds. */
  duration: number
  options?: PoolOptions
}

/** Runs clients that share one pool, each sending its next request when it has its answer. */
export async function runLoad(load: Load): Promise<LoadResult> {
  const client = new FastCGIClient(load.address, load.options)
  const counts: number[] = new Array(load.clients).fill(0)
  const times: number[] = []
  const failures: string[] = []
  const request: FastCGIRequest = { params: load.params }
  const end = performance.now() + load.duration
  await Promise.all(
    counts.map(async (_, index) => {
      while (performance.now() < end) {
        const begun = performance.now()
        try {
          const response = await client.request(request)
          await response.bytes()
          if (response.status !== 200) failures.push(`status ${response.status}`)
        } catch (error) {
          failures.push(String(error))
        }
        times.push(performance.now() - begun)
        counts[index] = (counts[index] ?? 0) + 1
      }
    }),
  )
  await client.close()
  times.sort((one, other) => one - other)
  return { counts, times, failures }
}

/** {@link runLoad} in another process; the promises of several begin together. */
export async function runLoadsApart(loads: Load[]): Promise<LoadResult[]> {
  const children = loads.map(() => fork(fileURLToPath(import.meta.url), ['load'], { execArgv: [] }))
  await within('the processes', Promise.all(children.map((child) => once(child, 'message'))))
  return await Promise.all(loads.map((load, n) => run(children[n] as ChildProcess, load)))
}

async function run(child: ChildProcess, load: Load): Promise<LoadResult> {
  child.send(load)
  const [result] = await within('the result', once(child, 'message'), load.duration + 20_000)
  await within('the process to end', once(child, 'exit'))
  return result as LoadResult
}

if (process.argv[2] === 'load' && process.send !== undefined) {
  process.send('ready')
  process.once('message', async (load) => {
    // Disconnecting drops what the pipe has not taken yet, and a result can be long.
    process.send?.(await runLoad(load as Load), () => process.disconnect())
  })
}
