import type { OutputStream } from '../spawning/child.ts'
import type { ExitReport } from './exit-report.ts'

/** Receives the events of a process, a {@link ManagedProcess}. */
export interface ProcessOwner<Process> {
  /** Its state has changed, or whether it is `abandoned`. */
  onState(process: Process): void
  /** A child was started. */
  onStarted(process: Process): void
  /** A child exited without having been told to. The owner then calls respawn(), backOff() or retire(). */
  onExit(process: Process, report: ExitReport): void
  /** Its current child has answered its first request. */
  onFirstResponse(process: Process): void
  /** Its child wrote a line of output. */
  onLine(process: Process, pid: number | undefined, stream: OutputStream, line: string): void
  /** A request exceeded a timeout; its child is killed next. */
  onHung(process: Process): void
  /** The name of its socket has been removed; it opens a new one. */
  onSocketLost(process: Process): void
}
