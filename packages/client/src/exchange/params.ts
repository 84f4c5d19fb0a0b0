import { NameValueEncoder, ProtocolError } from '@fastcgi/protocol'
import type { ParamsInit } from './request.ts'

type Value = string | number | null | undefined

/** Bytes of a block up to which its encoder is kept for the next one. */
const MOST_KEPT = 65_536
let spare: NameValueEncoder | undefined

/** Encodes params into one block. @throws ParamsTooLargeError, ProtocolError for a NUL (FastCGI 1.0 §6.1). */
export function encodeParams(params: ParamsInit): Buffer {
  if (Buffer.isBuffer(params)) return params
  // Taken, for what is iterated may encode params itself.
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
  if (block.length <= MOST_KEPT) spare = encoder
  return block
}

function entriesOf(params: Exclude<ParamsInit, Buffer>): Iterable<readonly [string, Value]> {
  return isIterable(params) ? params : Object.entries(params)
}

function isIterable(params: object): params is Iterable<readonly [string, Value]> {
  return Symbol.iterator in params
}
