// Publishes attempts and member events on node:diagnostics_channel. Exchanges are published by exchange/tracing.ts.
import { channel } from 'node:diagnostics_channel'

const attempts = channel('fastcgi:attempt')
const members = channel('fastcgi:member')

/** Publishes a finished attempt. @param attempt an `Attempt` with all properties set. */
export function publishAttempt(attempt: object): void {
  if (attempts.hasSubscribers) attempts.publish(attempt)
}

/** Publishes an event of a balancer's member. @param event a `MemberEvent`. */
export function publishMember(event: object): void {
  if (members.hasSubscribers) members.publish(event)
}
