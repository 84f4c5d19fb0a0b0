// Roles of a request, and the params that a filter needs for its data (FastCGI 1.0 §6).
import { Readable } from 'node:stream'
import { decodeNameValues, encodeNameValues, Role } from '@fastcgi/protocol'
import { OptionError } from '../errors.ts'
import type { FastCGIRequest, FilterData } from './request.ts'

const ROLES: Readonly<Record<string, Role>> = {
  responder: Role.RESPONDER,
  authorizer: Role.AUTHORIZER,
  filter: Role.FILTER,
}

const OWN_PARAMS: ReadonlySet<string> = new Set(['FCGI_DATA_LAST_MOD', 'FCGI_DATA_LENGTH'])

/**
 * Returns the role number of a request.
 * @throws OptionError for an unknown role, for a filter without `data`, and for `data` with another role.
 */
export function roleOf({ role = 'responder', data }: FastCGIRequest): Role {
  if (role === 'responder' && data === undefined) return Role.RESPONDER
  const known = Object.hasOwn(ROLES, role) ? ROLES[role] : undefined
  if (known === undefined)
    throw new OptionError(`role must be one of ${Object.keys(ROLES).join(', ')}; got ${role}`)
  if ((known === Role.FILTER) !== (data !== undefined))
    throw new OptionError(`role ${role} ${data === undefined ? 'needs' : 'has no'} data`)
  return known
}

/**
 * Appends FCGI_DATA_LAST_MOD and FCGI_DATA_LENGTH to the params of a filter (FastCGI 1.0 §6.4).
 * @throws OptionError for invalid `data`, and when the params already contain one of these names.
 */
export function withDataParams(params: Buffer, data: FilterData): Buffer {
  const { stream, length, lastModified } = data
  if (!(stream instanceof Readable)) throw new OptionError('data.stream must be a Readable')
  if (!Number.isSafeInteger(length) || length < 0)
    throw new OptionError(`data.length must be a whole number of bytes; got ${length}`)
  if (!(lastModified instanceof Date) || Number.isNaN(lastModified.getTime()))
    throw new OptionError(`data.lastModified must be a valid Date; got ${lastModified}`)
  for (const [name] of decodeNameValues(params))
    if (OWN_PARAMS.has(name))
      throw new OptionError(`param ${name} is computed from data; remove it from params`)
  const own = encodeNameValues([
    ['FCGI_DATA_LAST_MOD', String(Math.floor(lastModified.getTime() / 1000))],
    ['FCGI_DATA_LENGTH', String(length)],
  ])
  return Buffer.concat([params, own])
}
