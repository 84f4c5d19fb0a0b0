// The last events of dispatchers, of their members and of their processes, in one list.

import { Balancer, type Dispatcher, type DispatcherEvent, FastCGIClient } from '@fastcgi/client'
import { MAX_EVENTS } from '@fastcgi/client/internal'
import { errorAdvice } from '../error-advice.ts'
import type { EventSnapshot } from './snapshot.ts'

/** The last events, the latest first. */
export function eventsOf(dispatchers: Readonly<Record<string, Dispatcher>>): EventSnapshot[] {
  return latest(
    Object.entries(dispatchers)
      .flatMap(([name, dispatcher]) =>
        collect(dispatcher).map((event) => eventSnapshot(name, event)),
      )
      .reverse(),
  )
}

/** The latest of several lists, as many as one may have; the latest first. Those of the same moment stay in their order. */
export function latest(events: readonly EventSnapshot[]): EventSnapshot[] {
  return [...events].sort((one, other) => compare(other.at, one.at)).slice(0, MAX_EVENTS)
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0
}

function collect(dispatcher: Dispatcher): readonly DispatcherEvent[] {
  const own = dispatcher.events ?? []
  if (dispatcher instanceof Balancer) return [...own, ...memberEvents(dispatcher)]
  // A process manager tells what happens to its processes. A plain client tells nothing of its own.
  if (dispatcher instanceof FastCGIClient && dispatcher.processes === undefined)
    return collect(dispatcher.dispatcher)
  return own
}

/** What the members tell themselves, by their names. That they fail and are back, the balancer has said, unless there is only one. */
function memberEvents({ members }: Balancer): DispatcherEvent[] {
  return members.flatMap(({ name, dispatcher }) =>
    collect(dispatcher)
      .filter(({ kind }) => members.length === 1 || (kind !== 'failing' && kind !== 'back'))
      .map((event) => ({ ...event, member: name })),
  )
}

function eventSnapshot(dispatcher: string, event: DispatcherEvent): EventSnapshot {
  const { at, kind, member, message, times, code, by } = event
  const remedy = event.remedy ?? (code === undefined ? undefined : errorAdvice(code))
  return {
    at: at.toISOString(),
    kind,
    dispatcher,
    member,
    message,
    times,
    remedy: remedy ?? REMEDIES[kind] ?? null,
    by: by ?? null,
  }
}

const REMEDIES: Readonly<Record<string, string>> = {
  aborted: 'look at how long clients wait, and at the timeouts of proxies before this server',
  exited: 'look at its last output in the log',
  'crash-loop': 'run its command by hand, and look at its last output in the log',
  hung: 'make the script faster, or raise the option timeouts',
}
