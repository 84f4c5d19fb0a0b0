// Creates the errors of a balancer that cannot send a request to any member.
import type { FastCGIError } from '@fastcgi/protocol'
import { ClosedError, OverloadedError } from '../errors.ts'
import type { Member } from './members/member.ts'

/** Creates the error for a request for which no member became available; it names the state of all members. */
export function noMemberError(
  balancer: string,
  members: readonly Member[],
  timeout: number,
  cause: FastCGIError | undefined,
): OverloadedError {
  const now = performance.now()
  const states = members
    .map((member) => `${member.name} ${member.full ? 'full' : member.state(now)}`)
    .join(', ')
  return new OverloadedError(
    `no member of balancer ${balancer} can take the request (waited ${timeout} ms, option timeout): ${states || 'it has none'}`,
    { cause },
  )
}

/** Creates the error for a request to a balancer that was closed. */
export function closedError(balancer: string, cause?: Error): ClosedError {
  return new ClosedError(`balancer ${balancer} is closed`, { cause })
}
