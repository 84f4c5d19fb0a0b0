import type { Member } from './members/member.ts'

/**
 * Who may take a request, as Apache's mod_proxy_balancer frames it: the lowest lbset that has anybody; in it all active
 * members that are usable, and as many hot spares as there are unusable ones; hot standbys when there is nobody else.
 * For a request, the members that have failed it are unusable, too.
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

/** Whether nobody can take anything, for no other reason than that it has enough already. */
export function allFull(members: readonly Member[], now: number): boolean {
  return (
    members.some((member) => member.full) && !members.some((member) => member.takesSession(now))
  )
}

/** Whether there is somebody who will take it when there is room. */
export function willHaveRoom(members: readonly Member[], tried: ReadonlySet<Member>): boolean {
  return members.some((member) => member.full && member.status === 'enabled' && !tried.has(member))
}
