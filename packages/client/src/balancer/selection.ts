// Selects the candidates for a request by lbset, role, status and health; a balancing method chooses among them.
import type { Member } from './members/member.ts'

/**
 * Returns the members that may receive a request, by the rules of Apache's mod_proxy_balancer: in the lowest lbset with
 * an available member, all available active members and one available hot spare for each unavailable active member; if
 * there are none, the available hot standbys. Members in `tried` count as unavailable.
 */
export function eligible(
  members: readonly Member[],
  tried: ReadonlySet<Member>,
  now: number,
): Member[] {
  for (const lbset of new Set(members.map((member) => member.lbset).sort((a, b) => a - b))) {
    const tier = members.filter((member) => member.lbset === lbset)
    const found = eligibleIn(tier, tried, now)
    if (found.length > 0) return found
  }
  return []
}

function eligibleIn(tier: readonly Member[], tried: ReadonlySet<Member>, now: number): Member[] {
  const usable = (role: Member['role']): Member[] =>
    tier.filter((member) => member.role === role && !tried.has(member) && member.takesNew(now))
  const active = usable('active')
  const missing = tier.filter((member) => member.role === 'active').length - active.length
  const found = [...active, ...usable('spare').slice(0, missing)]
  return found.length > 0 ? found : usable('standby')
}

/** Whether no member can receive any request, and at least one because it has reached its `maxLoad`. */
export function allFull(members: readonly Member[], now: number): boolean {
  return (
    members.some((member) => member.full) && !members.some((member) => member.takesSession(now))
  )
}

/** Whether an untried, enabled member has reached its `maxLoad`, so that waiting for it makes sense. */
export function willHaveRoom(members: readonly Member[], tried: ReadonlySet<Member>): boolean {
  return members.some((member) => member.full && member.status === 'enabled' && !tried.has(member))
}

/** The members that did not refuse a request a moment ago, or all of them if each did. */
export function preferWilling(members: Member[], now: number): Member[] {
  const found = members.filter((member) => !member.health.refuses(now))
  return found.length > 0 ? found : members
}
