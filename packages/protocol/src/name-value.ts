// Encoding and decoding of name-value pairs (FastCGI 1.0 §3.4).
import { MAX_PARAMS_LENGTH } from './constants.ts'
import { ParamsTooLargeError, ProtocolError } from './errors.ts'

/** Encoding of strings on the wire. `latin1` reproduces field values of `node:http` byte for byte. */
export type TextEncoding = 'utf8' | 'latin1'

const INITIAL_CAPACITY = 2048

/** Maximum length in characters for which a JavaScript loop is faster than the native {@link Buffer.write}. */
const MAX_LOOP_LENGTH = 48

/**
 * Encodes blocks of name-value pairs (FastCGI 1.0 §3.4). The internal buffer grows and is reused for the next block.
 * A pair must fit into one record (65528 bytes), because php-fpm and others refuse a pair that spans two records.
 */
export class NameValueEncoder {
  #buffer: Buffer
  #length: number
  readonly #prefixLength: number
  readonly #limit: number

  /**
   * @param limit maximum length of a block in bytes, prefix included. No limit by default.
   * @param prefix an encoded block that every block starts with, for instance the params that are the same for all
   * requests. It is copied.
   */
  constructor(limit: number = Number.POSITIVE_INFINITY, prefix: Uint8Array = EMPTY) {
    this.#limit = limit
    this.#prefixLength = this.#length = prefix.length
    this.#buffer = Buffer.allocUnsafe(INITIAL_CAPACITY + prefix.length)
    this.#buffer.set(prefix, 0)
  }

  /** Discards the current block and starts a new one, which contains only the prefix. */
  restart(): void {
    this.#length = this.#prefixLength
  }

  /**
   * Appends one pair.
   * @throws ParamsTooLargeError when the pair is over 65528 bytes, or the block would exceed its limit.
   */
  add(name: string, value: string, encoding: TextEncoding = 'utf8'): void {
    const nameLength = byteLength(name, encoding)
    const valueLength = byteLength(value, encoding)
    const length =
      nameLength + valueLength + (nameLength > 127 ? 4 : 1) + (valueLength > 127 ? 4 : 1)
    if (length > MAX_PARAMS_LENGTH || this.#length + length > this.#limit)
      throw this.#tooLarge(name, length)
    this.#reserve(length)
    this.#putLength(nameLength)
    this.#putLength(valueLength)
    this.#putText(name, nameLength, encoding)
    this.#putText(value, valueLength, encoding)
  }

  /** Appends a copy of an encoded block. @throws ParamsTooLargeError when the block would exceed its limit. */
  addBlock(block: Uint8Array): void {
    if (this.#length + block.length > this.#limit) throw this.#tooLarge('a block', block.length)
    this.#reserve(block.length)
    this.#buffer.set(block, this.#length)
    this.#length += block.length
  }

  /** Returns a copy of the encoded block. */
  finish(): Buffer {
    const block = Buffer.allocUnsafe(this.#length)
    this.#buffer.copy(block, 0, 0, this.#length)
    return block
  }

  #tooLarge(name: string, length: number): ParamsTooLargeError {
    const shown = name.length > 64 ? `${name.slice(0, 64)}…` : name
    return length > MAX_PARAMS_LENGTH
      ? new ParamsTooLargeError(
          `param ${shown} takes ${length} bytes, over the ${MAX_PARAMS_LENGTH} of one record`,
        )
      : new ParamsTooLargeError(
          `params take over ${this.#limit} bytes (option maxParamsSize), at ${shown}`,
        )
  }

  #reserve(length: number): void {
    if (this.#length + length <= this.#buffer.length) return
    const grown = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#length + length))
    this.#buffer.copy(grown, 0, 0, this.#length)
    this.#buffer = grown
  }

  #putLength(length: number): void {
    if (length <= 127) this.#buffer[this.#length++] = length
    else this.#length = this.#buffer.writeUInt32BE((length | 0x80000000) >>> 0, this.#length)
  }

  #putText(text: string, length: number, encoding: TextEncoding): void {
    const start = this.#length
    this.#length += length
    // When the text has as many bytes as characters, every character code is the byte itself (ASCII or latin1).
    if (length > MAX_LOOP_LENGTH || length !== text.length)
      this.#buffer.write(text, start, length, encoding)
    else for (let at = 0; at < length; at++) this.#buffer[start + at] = text.charCodeAt(at)
  }
}

const EMPTY = new Uint8Array(0)

function byteLength(text: string, encoding: TextEncoding): number {
  return encoding === 'latin1' ? text.length : Buffer.byteLength(text)
}

/**
 * Encodes pairs into one block. @throws ParamsTooLargeError when a pair is over 65528 bytes.
 * @example
 * ```js
 * import { encodeNameValues } from '@fastcgi/protocol'
 *
 * console.log(encodeNameValues([['A', 'bc']])) // <Buffer 01 02 41 62 63>
 * ```
 */
export function encodeNameValues(
  pairs: Iterable<readonly [string, string]>,
  encoding: TextEncoding = 'utf8',
): Buffer {
  const encoder = new NameValueEncoder()
  for (const [name, value] of pairs) encoder.add(name, value, encoding)
  return encoder.finish()
}

/**
 * Decodes a complete block of pairs. Order and duplicates are preserved. A length below 128 may also have the
 * four-byte form.
 * @throws ProtocolError when a length exceeds the rest of the block.
 * @example
 * ```js
 * import { decodeNameValues } from '@fastcgi/protocol'
 *
 * console.log(decodeNameValues(Buffer.from([1, 2, 65, 66, 67]))) // [ [ 'A', 'BC' ] ]
 * ```
 */
export function decodeNameValues(
  block: Buffer,
  encoding: TextEncoding = 'utf8',
): Array<[string, string]> {
  const pairs: Array<[string, string]> = []
  for (let at = 0; at < block.length; ) {
    const pair = measurePair(block, at)
    const valueStart = pair.nameStart + pair.nameLength
    const end = valueStart + pair.valueLength
    pairs.push([
      block.toString(encoding, pair.nameStart, valueStart),
      block.toString(encoding, valueStart, end),
    ])
    at = end
  }
  return pairs
}

/**
 * Returns how many bytes, from offset `at`, consist of whole pairs and fit into one record of `most` bytes.
 * @throws ProtocolError when the block is malformed; ParamsTooLargeError when the pair at `at` does not fit.
 */
export function wholePairsLength(
  block: Buffer,
  at: number,
  most: number = MAX_PARAMS_LENGTH,
): number {
  let end = at
  while (end < block.length) {
    const pair = measurePair(block, end)
    const next = pair.nameStart + pair.nameLength + pair.valueLength
    if (next - at > most) break
    end = next
  }
  if (end === at && end < block.length)
    throw new ParamsTooLargeError(`a param is over the ${most} bytes of one record`)
  return end - at
}

interface PairMeasure {
  nameStart: number
  nameLength: number
  valueLength: number
}

function measurePair(block: Buffer, at: number): PairMeasure {
  const name = readLength(block, at)
  const value = readLength(block, name.next)
  // The peer controls these lengths (up to 2^31 - 1 each), so they are checked before any slice. Their sum is exact:
  // JavaScript numbers do not overflow at 32 bits.
  if (value.next + name.length + value.length > block.length)
    throw new ProtocolError('a name-value pair extends beyond the end of its block')
  return { nameStart: value.next, nameLength: name.length, valueLength: value.length }
}

function readLength(block: Buffer, at: number): { length: number; next: number } {
  const first = block[at]
  if (first !== undefined && first <= 127) return { length: first, next: at + 1 }
  if (at + 4 > block.length)
    throw new ProtocolError('the block ends within the length of a name-value pair')
  return { length: block.readUInt32BE(at) & 0x7fffffff, next: at + 4 }
}
