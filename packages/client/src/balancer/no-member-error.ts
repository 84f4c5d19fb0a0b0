import type { FastCGIError } from '@fastcgi/protocol'
import { ClosedError, OverloadedError } from '../errors.ts'
import type { Member } from './members/member.ts'

/** Nobody could take a request for as long as it may wait. */
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

/** The balancer takes no more requests. */
export function closedError(balancer: string, cause?: Error): ClosedError {
  return new ClosedError(`balancer ${balancer} is closed`, { cause })
}
