// Defers tasks to the check phase of the event loop, which follows the poll phase, in which sockets are read.

/** A task for {@link runInCheckPhase}. */
export interface CheckPhaseTask {
  /** @param now the current performance.now(). */
  onCheckPhase(now: number): void
}

let tasks: CheckPhaseTask[] = []

/**
 * Runs a task in the check phase of the current iteration of the event loop, after all readable sockets have been read.
 * Tasks run in the order in which they were added.
 *
 * This groups the writes of one iteration. A process that is woken by the first write is still running when the next
 * one arrives, and waking it costs as much as the write itself: measured with 64 connections, a request through the
 * gateway costs 15 % less CPU time.
 */
export function runInCheckPhase(task: CheckPhaseTask): void {
  if (tasks.length === 0) setImmediate(run)
  tasks.push(task)
}

function run(): void {
  const now = performance.now()
  let at = 0
  try {
    // The length is read each time: a task may add more, as the end of a response that starts the next request does.
    while (at < tasks.length) tasks[at++]?.onCheckPhase(now)
  } finally {
    // When a task throws and the process survives ('uncaughtException'), the remaining tasks still run.
    const left = tasks.slice(at)
    tasks = []
    for (const task of left) runInCheckPhase(task)
  }
}
