/** A process manager in a process of its own, which can be killed. */

import { type ChildProcess, fork } from 'node:child_process'
import cluster from 'node:cluster'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { createProcessManager, type ProcessManagerOptions } from '@fastcgi/process-manager'
import type { Test } from 'tap'
import { ask, isAlive } from './applications.ts'
import { within } from './wait.ts'

/** What such a process does. */
export interface Job {
  options: ProcessManagerOptions
  /** What to ask for first; nothing is asked without. */
  params?: Record<string, string>
  /** Where the manager is. @default 'main' */
  where?: 'main' | 'worker thread' | 'cluster'
}

/** What it tells when a request has been answered; one for each manager. */
export interface Report {
  addresses: string[]
  pids: number[]
}

/** Starts one; it is killed with the test, if it is still there. */
export async function forkManager(
  t: Test,
  job: Job,
): Promise<{ child: ChildProcess; reports: Report[]; exited: Promise<unknown> }> {
  const child = fork(fileURLToPath(import.meta.url), ['manager', JSON.stringify(job)], {
    execArgv: [],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  const exited = once(child, 'exit')
  const reports: Report[] = []
  for (let n = 0; n < (job.where === 'cluster' ? 2 : 1); n++)
    reports.push((await within('a report', once(child, 'message'), 20_000))[0] as Report)
  return { child, reports, exited }
}

/** A process and all it has started, as they are now. */
export function familyOf(pid: number): number[] {
  // What a worker thread has started is a child of that thread.
  const children = readdirSync(`/proc/${pid}/task`)
    .flatMap((task) => readFileSync(`/proc/${pid}/task/${task}/children`, 'latin1').split(' '))
    .filter(Boolean)
    .map(Number)
  return [pid, ...children.flatMap(familyOf)]
}

/** Whether there is such a process and it has not ended. */
export function isRunning(pid: number): boolean {
  if (!isAlive(pid)) return false
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3) !== 'Z'
  } catch {
    return false
  }
}

async function manage({ options, params }: Job): Promise<Report> {
  const manager = createProcessManager(options)
  if (params !== undefined) await ask(manager, params)
  return {
    addresses: manager.processes.map(({ address }) => address),
    pids: manager.processes.flatMap(({ pid }) => pid ?? []),
  }
}

// Without anything else to do, a manager does not keep its process, or thread, alive.
const stayAlive = (): unknown => setInterval(() => {}, 60_000)

if (!isMainThread && workerData?.job !== undefined) {
  stayAlive()
  parentPort?.postMessage(await manage(workerData.job as Job))
} else if (isMainThread && process.argv[2] === 'manager') {
  stayAlive()
  const job = JSON.parse(process.argv[3] ?? '') as Job
  if (job.where === 'worker thread') {
    const worker = new Worker(fileURLToPath(import.meta.url), { workerData: { job } })
    worker.once('message', (report) => process.send?.(report))
  } else if (job.where === 'cluster' && cluster.isPrimary) {
    for (let n = 0; n < 2; n++) cluster.fork().once('message', (report) => process.send?.(report))
  } else process.send?.(await manage(job))
}
