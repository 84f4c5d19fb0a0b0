// One request in PHP: parameters in, status out. Output arrives by the functions of the module.
import { posix } from 'node:path'
import type { PhpModule } from './emscripten.ts'

/** A request. Its strings are latin1: each character is one byte. */
export interface PhpRequest {
  /** $_SERVER. */
  readonly variables: ReadonlyMap<string, string>
  readonly body: RequestBody | undefined
}

/** The body of a request in PHP's memory. */
export class RequestBody {
  readonly length: number
  readonly #php: PhpModule
  readonly #pointer: number
  #received = 0

  /** @throws RangeError if PHP's memory has no room for it. */
  constructor(php: PhpModule, length: number) {
    this.length = length
    this.#php = php
    this.#pointer = php.malloc(length)
    if (this.#pointer === 0) throw new RangeError(`no memory for a body of ${length} bytes`)
  }

  get complete(): boolean {
    return this.#received === this.length
  }

  push(chunk: Uint8Array): void {
    this.#php.HEAPU8.set(chunk, this.#pointer + this.#received)
    this.#received += chunk.length
  }

  /** Hands it to the SAPI. */
  use(): void {
    this.#php.ccall('wasm_set_request_body', null, ['number'], [this.#pointer])
    this.#php.ccall('wasm_set_content_length', null, ['number'], [this.length])
  }

  free(): void {
    this.#php.free(this.#pointer)
  }
}

/** Runs the script of a request; returns its exit status. @throws Error if PHP aborts, and cannot be used any more. */
export async function runScript(php: PhpModule, request: PhpRequest): Promise<number> {
  const { variables, body } = request
  const script = variables.get('SCRIPT_FILENAME') ?? ''
  php.FS.chdir(posix.dirname(utf8(script)))
  const strings = new Strings(php, variables)
  const pointer = (name: string): number => strings.value(name)
  const number = (name: string): number => Number(variables.get(name)) || 0
  php.ccall('wasm_set_path_translated', null, ['number'], [pointer('SCRIPT_FILENAME')])
  php.ccall('wasm_set_request_method', null, ['number'], [pointer('REQUEST_METHOD')])
  php.ccall('wasm_set_query_string', null, ['number'], [pointer('QUERY_STRING')])
  php.ccall('wasm_set_request_port', null, ['number'], [number('SERVER_PORT')])
  php.ccall('wasm_set_content_length', null, ['number'], [0])
  if (variables.get('CONTENT_TYPE'))
    php.ccall('wasm_set_content_type', null, ['number'], [pointer('CONTENT_TYPE')])
  if (variables.has('HTTP_COOKIE'))
    php.ccall('wasm_set_cookies', null, ['number'], [pointer('HTTP_COOKIE')])
  body?.use()
  for (const name of variables.keys())
    for (const add of ['wasm_add_SERVER_entry', 'wasm_add_ENV_entry'] as const)
      php.ccall(add, null, ['number', 'number'], [strings.name(name), pointer(name)])
  // PHP has copied them.
  strings.free()
  return php.ccall('wasm_sapi_handle_request', 'number', [], [], { async: true })
}

/** Whether there is a script; PHP's SAPI would abort without. */
export function isScript({ FS }: PhpModule, script: string): boolean {
  try {
    return FS.isFile(FS.stat(utf8(script)).mode)
  } catch {
    return false
  }
}

/** Decodes UTF-8 whose bytes are the characters of a string; names in Emscripten's file system are UTF-8. */
function utf8(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString()
}

/** Names and values in PHP's memory, each ended by NUL. */
class Strings {
  readonly #php: PhpModule
  readonly #block: number
  readonly #names = new Map<string, number>()
  readonly #values = new Map<string, number>()

  constructor(php: PhpModule, variables: ReadonlyMap<string, string>) {
    // The first byte is the empty string, of what there is not.
    let text = '\0'
    for (const [name, value] of variables) {
      this.#names.set(name, text.length)
      text += `${name}\0`
      this.#values.set(name, text.length)
      text += `${value}\0`
    }
    this.#php = php
    this.#block = php.malloc(text.length)
    php.HEAPU8.set(Buffer.from(text, 'latin1'), this.#block)
  }

  name(name: string): number {
    return this.#block + (this.#names.get(name) ?? 0)
  }

  /** The value of a variable; an empty string if there is none. */
  value(name: string): number {
    return this.#block + (this.#values.get(name) ?? 0)
  }

  free(): void {
    this.#php.free(this.#block)
  }
}
