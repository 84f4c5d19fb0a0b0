// What is reported of the processes of an application: log lines, events, and the reason of the last failure.
import { callSafely, EventLog } from '@fastcgi/client/internal'
import { type ProcessEvent, type ProcessLogger, publishProcess } from '../log.ts'
import type { OutputStream } from '../spawning/child.ts'
import type { ExitReport } from './exit-report.ts'

/** A process, as the reports name it. */
interface Reported {
  readonly name: string
  readonly pid: number | undefined
  /** Number of times a child was started. */
  readonly starts: number
}

/** A process that has failed or ended. */
interface Ended extends Reported {
  readonly output: { readonly text: string }
  readonly outputEnded: Promise<void>
}

/** Logs what happens to the processes of an application, and tells its listeners. */
export class ProcessReports {
  /** Why the last process failed that did; '' if none has. */
  lastFailure = ''
  /** What has happened to the processes, for the status page. */
  readonly events: EventLog = new EventLog()
  readonly #application: string
  readonly #logger: ProcessLogger
  readonly #listeners = new Set<(event: ProcessEvent) => void>()

  constructor(application: string, logger: ProcessLogger) {
    this.#application = application
    this.#logger = logger
  }

  /** Subscribes to process events; returns the function that unsubscribes. */
  listen(listener: (event: ProcessEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  started(process: Reported): void {
    this.#logger.info(details(process), `${process.name}: started, pid ${process.pid}`)
    if (process.starts > 1)
      this.events.add({
        kind: 'restarted',
        member: process.name,
        message: `started again, pid ${process.pid}`,
      })
    this.#emit(process, 'started')
  }

  stopped(process: Reported, pid: number | undefined): void {
    this.#emit(process, 'stopped', pid)
  }

  hung(process: Reported): void {
    this.#logger.error(
      details(process),
      `${process.name}[${process.pid}]: killed, because it did not answer in time (option timeouts)`,
    )
    this.events.add({
      kind: 'hung',
      member: process.name,
      message: `killed, because it did not answer in time (option timeouts), pid ${process.pid}`,
    })
    this.#emit(process, 'hung')
  }

  socketLost(process: Reported, address: string): void {
    this.#logger.warn(
      details(process),
      `${process.name}: the name of its socket, ${address}, was removed or replaced; opening it again`,
    )
  }

  /** Its program has changed. */
  changed(): void {
    this.#logger.info(
      { application: this.#application },
      `${this.#application}: changed on disk, restarting`,
    )
  }

  restartFailed(process: Reported, error: unknown): void {
    this.#logger.error(details(process), `${process.name}: the restart failed: ${error}`)
  }

  line(process: Reported, pid: number | undefined, stream: OutputStream, line: string): void {
    const message = `${process.name}[${pid}]: ${line}`
    if (stream === 'stderr') this.#logger.warn(details(process, pid), message)
    else this.#logger.info(details(process, pid), message)
  }

  /** Logs an exit, after the last output of the child has been read, since that usually tells the reason. */
  async exited(process: Ended, report: ExitReport): Promise<void> {
    const told = `${report.reason}${afterRequests(report)}`
    this.events.add({ kind: 'exited', member: process.name, message: told })
    this.#emit(process, 'exited', report.pid, report.reason)
    const message = `${nameOf(process, report)}: ${told}`
    await process.outputEnded
    if (report.exit.code === 0) this.#logger.info(details(process, report.pid), message)
    else this.#logger.error(details(process, report.pid), message)
  }

  /**
   * The same for a failed start, with the output.
   * @param next describes when the next start follows.
   */
  async failed(process: Ended, report: ExitReport, next: string): Promise<void> {
    this.#emit(process, 'failed', report.pid, report.reason)
    this.lastFailure = `${process.name} ${report.reason}`
    const { output } = process
    await process.outputEnded
    const words = output.text === '' ? '' : `; it said: ${output.text}`
    this.lastFailure = `${process.name} ${report.reason}${words}`
    this.events.add({
      kind: 'crash-loop',
      member: process.name,
      message: `${report.reason} right after its start; ${next}${words}`,
    })
    const message = `${nameOf(process, report)}: ${report.reason}${afterRequests(report)}; ${next}${words}`
    this.#logger.error(details(process, report.pid), message)
  }

  #emit(
    process: Reported,
    event: ProcessEvent['event'],
    pid: number | undefined = process.pid,
    reason?: string,
  ): void {
    const application = this.#application
    const emitted: ProcessEvent = { application, process: process.name, pid, event, reason }
    publishProcess(emitted)
    for (const listener of [...this.#listeners])
      callSafely('a listener of onProcess', () => listener(emitted))
  }
}

function nameOf(process: Reported, { pid }: ExitReport): string {
  return pid === undefined ? process.name : `${process.name}[${pid}]`
}

function afterRequests({ served }: ExitReport): string {
  return served > 0 ? ` after ${served} requests` : ''
}

function details(process: Reported, pid: number | undefined = process.pid): object {
  return { process: process.name, pid }
}
