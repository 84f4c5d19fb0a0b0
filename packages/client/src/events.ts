// What has happened to applications, for people who look later: the last events of a pool, a balancer or a process manager.

/** How many events are kept. */
export const MAX_EVENTS = 50

/**
 * What has happened:
 * - `out`: a member gets no requests, because it has failed; `back`: it gets requests again;
 * - `failing`: an application fails every request, and is given them nevertheless because there is no other; `back` ends that;
 * - `error`: a request has failed, or the application has said so itself; `aborted`: its client did not wait for the response;
 * - `draining`: a member gets only requests of its sessions; `drained`: its last request has ended;
 * - `added`, `removed`: a member; `changed`: an option of a member;
 * - `limit-cut`: an application has proved to serve fewer connections at the same time than were opened;
 * - `restarted`: a process; `exited`: a process ended without having been told to; `crash-loop`: processes end again and
 *   again right after their start, so that the next start is delayed;
 * - `hung`: a process was killed, because it did not answer in time.
 *
 * Failures of a member with the same code and remedy are one event, and so are the same events of a process.
 */
export type EventKind =
  | 'out'
  | 'back'
  | 'failing'
  | 'error'
  | 'aborted'
  | 'draining'
  | 'drained'
  | 'added'
  | 'removed'
  | 'changed'
  | 'limit-cut'
  | 'restarted'
  | 'exited'
  | 'crash-loop'
  | 'hung'

/** Something that has happened to an application. */
export interface DispatcherEvent {
  /** When it happened, the last time if `times` is above 1. */
  readonly at: Date
  readonly kind: EventKind
  /** Name of the member or process; of a pool the address. */
  readonly member: string
  /** How often the same has happened to it; only the last is kept. */
  readonly times: number
  /** What has happened, in words, without the name. */
  readonly message: string
  /** `code` of the error that caused it. */
  readonly code?: string | undefined
  /** What to do about it, where the code does not say it. */
  readonly remedy?: string | undefined
  /** Who has asked for it, such as the name of an operator; undefined if nobody has, or nobody knows. */
  readonly by?: string | undefined
}

/**
 * Kinds that come with requests and processes, again and again: there is one event of each member, code and remedy, with the
 * words of the last.
 */
const MERGED: ReadonlySet<EventKind> = new Set([
  'error',
  'aborted',
  'restarted',
  'exited',
  'crash-loop',
  'hung',
])

/** A new event, to be added to an {@link EventLog}. */
export type NewEvent = Omit<DispatcherEvent, 'at' | 'times'>

/** The last events, at most {@link MAX_EVENTS}. */
export class EventLog {
  readonly #events: DispatcherEvent[] = []

  /** From the oldest to the latest. */
  get all(): readonly DispatcherEvent[] {
    return this.#events
  }

  /** Adds an event that happens now. */
  add(event: NewEvent): void {
    const events = this.#events
    const from = MERGED.has(event.kind) ? 0 : events.length - 1
    const at = events.findIndex((known, index) => index >= from && isSame(known, event))
    const [again] = at === -1 ? [] : events.splice(at, 1)
    if (events.length >= MAX_EVENTS) events.shift()
    events.push({ ...event, at: new Date(), times: (again?.times ?? 0) + 1 })
  }
}

/** Whether an event repeats another. What happens again and again would otherwise drive out all that came before. */
function isSame(one: DispatcherEvent, other: NewEvent): boolean {
  return (
    one.kind === other.kind &&
    one.member === other.member &&
    one.by === other.by &&
    one.code === other.code &&
    one.remedy === other.remedy &&
    (one.message === other.message || MERGED.has(one.kind))
  )
}
