// Generates load with wrk.
import { get } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { type Place, run } from './program.ts'
import type { Workplace } from './workplace.ts'

/** Results of a load test, as measured by the clients. */
export interface LoadResult {
  requests: number
  requestsPerSecond: number
  /** Latencies in milliseconds. */
  p50: number
  p99: number
  p999: number
  /** Number of responses other than 2xx and 3xx, and of socket errors. */
  failed: number
}

export interface Load {
  port: number
  /** Path with its query. */
  path: string
  connections: number
  seconds: number
  /** Header fields sent with each request. */
  headers?: readonly string[]
  /** Processors of wrk. @default those that are not measured */
  place?: Place
}

const REPORT = `done = function(summary, latency)
  local e = summary.errors
  io.write(string.format('\\nRESULT {"requests":%d,"duration":%d,"p50":%d,"p99":%d,"p999":%d,"failed":%d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency:percentile(99.9),
    e.connect + e.read + e.write + e.status + e.timeout))
end
`

/** Runs wrk: each connection sends its next request after it has received the response. */
export async function load(workplace: Workplace, wish: Load): Promise<LoadResult> {
  const script = workplace.file('report.lua', REPORT)
  const headers = (wish.headers ?? []).flatMap((field) => ['-H', field])
  const output = await run(
    [
      ...['wrk', '-t1', '-c', String(wish.connections), '-d', `${wish.seconds}s`, '-s', script],
      ...['--timeout', '30s', ...headers, `http://127.0.0.1:${wish.port}${wish.path}`],
    ],
    wish.place ?? 'others',
  )
  const result = JSON.parse(/RESULT (.*)/.exec(output)?.[1] ?? 'null')
  return {
    requests: result.requests,
    requestsPerSecond: result.requests / (result.duration / 1e6),
    p50: result.p50 / 1000,
    p99: result.p99 / 1000,
    p999: result.p999 / 1000,
    failed: result.failed,
  }
}

/** Resolves with true once a server answers 200 on a path, false when it does not within ten seconds. */
export async function answers(port: number, path: string): Promise<boolean> {
  for (const end = Date.now() + 10_000; Date.now() < end; await delay(100))
    if ((await statusOf(port, path)) === 200) return true
  return false
}

function statusOf(port: number, path: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    get({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      response.resume().on('close', () => resolve(response.statusCode))
    }).on('error', () => resolve(undefined))
  })
}
