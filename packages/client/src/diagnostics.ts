// Channels of node:diagnostics_channel. Exchanges are published by exchange/tracing.ts.
import { type Channel, channel } from 'node:diagnostics_channel'
import { callSafely } from './callbacks.ts'

/** For attempts that have ended: messages are `AttemptEvent`s. */
export const attemptChannel: Channel = channel('fastcgi:attempt')
const members = channel('fastcgi:member')

/** Publishes an event of a balancer's member on `fastcgi:member`. @param event a `MemberEvent`. */
export function publishMember(event: object): void {
  if (members.hasSubscribers) publish(members, event)
}

type Subscriber = (message: object, name: string | symbol) => unknown

/**
 * Publishes a message. `Channel.publish()` turns what a subscriber throws into an `uncaughtException`, so the subscribers
 * are called one by one here, where Node exposes them.
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
