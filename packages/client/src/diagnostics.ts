import { channel } from 'node:diagnostics_channel'

const attempts = channel('fastcgi:attempt')
const members = channel('fastcgi:member')

/** An attempt is over. @param attempt an `Attempt`, complete. */
export function publishAttempt(attempt: object): void {
  if (attempts.hasSubscribers) attempts.publish(attempt)
}

/** Something happened to a member of a balancer. @param event a `MemberEvent`. */
export function publishMember(event: object): void {
  if (members.hasSubscribers) members.publish(event)
}
