/** Publishes on the channels of node:diagnostics_channel. */
import { type Channel, channel } from 'node:diagnostics_channel'
import { callSafely } from './callbacks.ts'

const attempts = channel('fastcgi:attempt')
const members = channel('fastcgi:member')

/** An attempt is over. @param attempt an `Attempt`, complete. */
export function publishAttempt(attempt: object): void {
  if (attempts.hasSubscribers) publish(attempts, attempt)
}

/** Something happened to a member of a balancer. @param event a `MemberEvent`. */
export function publishMember(event: object): void {
  if (members.hasSubscribers) publish(members, event)
}

type Subscriber = (message: object, name: string | symbol) => unknown

/**
 * Publishes a message. `Channel.publish()` turns what a subscriber throws into an `uncaughtException`, so subscribers
 * are called one by one here, as far as Node lets us see them.
 */
export function publish(target: Channel, message: object): void {
  const { _subscribers: subscribers } = target as { _subscribers?: readonly Subscriber[] }
  if (!Array.isArray(subscribers)) {
    target.publish(message)
    return
  }
  for (const subscriber of [...subscribers])
    callSafely(`a subscriber of ${String(target.name)}`, () => subscriber(message, target.name))
}
