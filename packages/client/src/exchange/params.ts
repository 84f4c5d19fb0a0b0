// Encodes the params of a request.
import {
  decodeNameValues,
  encodeNameValues,
  NameValueEncoder,
  ProtocolError,
} from '@fastcgi/protocol'
import type { ParamsInit } from './request.ts'

type Value = string | number | null | undefined

/** Maximum block size in bytes for which the encoder, with its buffer, is kept for the next request. */
const MAX_KEPT_SIZE = 65_536
let spare: NameValueEncoder | undefined

/**
 * Encodes params into one block.
 * @throws ParamsTooLargeError when a param is over 65528 bytes; ProtocolError when one contains a NUL (FastCGI 1.0
 * §6.1).
 */
export function encodeParams(params: ParamsInit): Buffer {
  if (Buffer.isBuffer(params)) return params
  // The variable is cleared because the iteration may call this function again.
  const encoder = spare ?? new NameValueEncoder()
  spare = undefined
  encoder.restart()
  for (const [name, value] of entriesOf(params)) {
    if (value === null || value === undefined) continue
    const text = String(value)
    if (name.includes('\0') || text.includes('\0'))
      throw new ProtocolError(`param ${JSON.stringify(name)} contains a NUL`)
    encoder.add(name, text)
  }
  const block = encoder.finish()
  if (block.length <= MAX_KEPT_SIZE) spare = encoder
  return block
}

/**
 * Returns params with others added, which replace those of the same name.
 * @throws ParamsTooLargeError when a param is over 65528 bytes; ProtocolError when a block is malformed.
 */
export function addParams(params: ParamsInit, added: ReadonlyMap<string, string>): ParamsInit {
  const isNew = ([name]: readonly [string, unknown]): boolean => !added.has(name)
  if (!Buffer.isBuffer(params)) return [...[...entriesOf(params)].filter(isNew), ...added]
  // Most blocks do not contain the names, which is found out without decoding.
  const mayHave = [...added.keys()].some((name) => params.includes(name))
  const kept = mayHave
    ? encodeNameValues(decodeNameValues(params, 'latin1').filter(isNew), 'latin1')
    : params
  return Buffer.concat([kept, encodeNameValues(added)])
}

/** Returns REQUEST_METHOD; undefined if there is none, or if `params` is not an object. */
export function methodOf(params: ParamsInit): string | undefined {
  const method = 'REQUEST_METHOD' in params ? params.REQUEST_METHOD : undefined
  return typeof method === 'string' ? method : undefined
}

/** Returns SCRIPT_FILENAME; '' if there is none, or if `params` is not an object. */
export function scriptOf(params: ParamsInit): string {
  const script = 'SCRIPT_FILENAME' in params ? params.SCRIPT_FILENAME : undefined
  return typeof script === 'string' ? script : ''
}

function entriesOf(params: Exclude<ParamsInit, Buffer>): Iterable<readonly [string, Value]> {
  return isIterable(params) ? params : Object.entries(params)
}

function isIterable(params: object): params is Iterable<readonly [string, Value]> {
  return Symbol.iterator in params
}
