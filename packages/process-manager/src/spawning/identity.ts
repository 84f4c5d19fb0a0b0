// Looks up users and groups, with the tools of the system, as Node has no getpwnam(3).
import { spawnSync } from 'node:child_process'
import { OptionError } from '@fastcgi/client'

/** User and groups that a program runs as. */
export interface Identity {
  readonly uid: number
  readonly gid: number
  /** `gid` and the supplementary groups of the user, as initgroups(3) sets them; comma-separated, as setpriv and chroot take them. */
  readonly groups: string
}

/**
 * Looks up a user and a group, each by name or number. @throws OptionError for a name that does not exist, and for root.
 * @example
 * ```js
 * import { resolveIdentity } from '@fastcgi/process-manager'
 *
 * console.log(resolveIdentity('www-data', 'www-data').uid > 0) // true
 * ```
 */
export function resolveIdentity(user: string | number, group: string | number): Identity {
  const [account, , uid, primary] = lookUp('passwd', user) ?? []
  const [, , gid] = lookUp('group', group) ?? []
  const identity = {
    uid: Number(uid ?? numericId('user', user)),
    gid: Number(gid ?? numericId('group', group)),
  }
  if (identity.uid === 0 || identity.gid === 0)
    throw new OptionError(
      'options user and group: an application is not started as root on purpose',
    )
  const others = account === undefined ? [] : groupsOf(account).filter((item) => item !== primary)
  return { ...identity, groups: [...new Set([String(identity.gid), ...others])].join(',') }
}

/**
 * The primary group of a user, by name or number. @throws OptionError if the user does not exist.
 * @example
 * ```js
 * import { primaryGroup } from '@fastcgi/process-manager'
 *
 * console.log(primaryGroup('root')) // 0
 * ```
 */
export function primaryGroup(user: string | number): number {
  const [, , , gid] = lookUp('passwd', user) ?? []
  if (gid === undefined)
    throw new OptionError(`option user: the system knows no user ${user}; set the group as well`)
  return Number(gid)
}

/** Fields of an entry of the system's database (files, LDAP …). */
function lookUp(database: 'passwd' | 'group', key: string | number): string[] | undefined {
  const { status, stdout } = spawnSync('getent', ['--', database, String(key)], {
    encoding: 'utf8',
  })
  return status === 0 ? stdout.trim().split(':') : undefined
}

function numericId(option: string, value: string | number): string {
  if (/^\d+$/.test(String(value))) return String(value)
  throw new OptionError(`option ${option}: the system knows no ${option} ${value}`)
}

function groupsOf(account: string): string[] {
  const { status, stdout } = spawnSync('id', ['-G', '--', account], { encoding: 'utf8' })
  return status === 0 ? stdout.trim().split(/\s+/) : []
}
