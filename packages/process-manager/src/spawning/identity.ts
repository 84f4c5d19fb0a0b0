import { spawnSync } from 'node:child_process'
import { OptionError } from '@fastcgi/client'

/** Whom a program runs as. */
export interface Identity {
  readonly uid: number
  readonly gid: number
  /** All its groups, as setpriv and chroot take them: that one, and those the user was put into, as initgroups(3) has it. */
  readonly groups: string
}

/** Looks up a user and a group, each by name or number. @throws OptionError when the system knows none of that name. */
export function resolveIdentity(user: string | number, group: string | number): Identity {
  const [account, , uid, primary] = entry('passwd', user) ?? []
  const [, , gid] = entry('group', group) ?? []
  const identity = {
    uid: Number(uid ?? number('user', user)),
    gid: Number(gid ?? number('group', group)),
  }
  if (identity.uid === 0 || identity.gid === 0)
    throw new OptionError(
      'options user and group: an application is not started as root on purpose',
    )
  const others = account === undefined ? [] : groupsOf(account).filter((item) => item !== primary)
  return { ...identity, groups: [...new Set([String(identity.gid), ...others])].join(',') }
}

/** The group that a user belongs to in the first place. @throws OptionError */
export function primaryGroup(user: string | number): number {
  const [, , , gid] = entry('passwd', user) ?? []
  if (gid === undefined)
    throw new OptionError(`option user: the system knows no user ${user}; name the group, too`)
  return Number(gid)
}

/** A line of the system's database, wherever that is kept. */
function entry(database: 'passwd' | 'group', key: string | number): string[] | undefined {
  const { status, stdout } = spawnSync('getent', ['--', database, String(key)], {
    encoding: 'utf8',
  })
  return status === 0 ? stdout.trim().split(':') : undefined
}

function number(option: string, value: string | number): string {
  if (/^\d+$/.test(String(value))) return String(value)
  throw new OptionError(`option ${option}: the system knows no ${option} ${value}`)
}

function groupsOf(account: string): string[] {
  const { status, stdout } = spawnSync('id', ['-G', '--', account], { encoding: 'utf8' })
  return status === 0 ? stdout.trim().split(/\s+/) : []
}
