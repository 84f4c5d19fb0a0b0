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

/** The role of a request. @throws OptionError for one there is not, and where role and data do not agree. */
export function roleOf({ role = 'responder', data }: FastCGIRequest): Role {
  if (role === 'responder' && data === undefined) return Role.RESPONDER
  const known = Object.hasOwn(ROLES, role) ? ROLES[role] : undefined
  if (known === undefined)
    throw new OptionError(`role must be one of ${Object.keys(ROLES).join(', ')}; got ${role}`)
  if ((known === Role.FILTER) !== (data !== undefined))
    throw new OptionError(`role ${role} ${data === undefined ? 'needs' : 'has no'} data`)
  return known
}

/** Adds to params what a filter has to know of its data. @throws OptionError */
export function withDataParams(params: Buffer, data: FilterData): Buffer {
  const { stream, length, lastModified } = data
  if (!(stream instanceof Readable)) throw new OptionError('data.stream must be a Readable')
  if (!Number.isSafeInteger(length) || length < 0)
    throw new OptionError(`data.length must be a number of bytes, got ${length}`)
  if (!(lastModified instanceof Date) || Number.isNaN(lastModified.getTime()))
    throw new OptionError(`data.lastModified must be a Date, got ${lastModified}`)
  for (const [name] of decodeNameValues(params))
    if (OWN_PARAMS.has(name)) throw new OptionError(`param ${name} is made of data, leave it out`)
  const own = encodeNameValues([
    ['FCGI_DATA_LAST_MOD', String(Math.floor(lastModified.getTime() / 1000))],
    ['FCGI_DATA_LENGTH', String(length)],
  ])
  return Buffer.concat([params, own])
}
