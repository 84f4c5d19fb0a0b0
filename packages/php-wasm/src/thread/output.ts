// What PHP writes: the head and lines of the error log become messages, the body goes into the ring.
import type { FromThread } from '../messages.ts'
import type { OutputRing } from '../output-ring.ts'
import type { PhpModule } from './emscripten.ts'

/** EPIPE of Emscripten. */
const EPIPE = 64
/** Bytes of a line of the error log that are kept until it ends. */
const MAX_LINE = 65_536
/** The end of the head. */
const HEAD_END = /\]\s*\}\s*$/

/** Passes on the output of one request after the other. */
export class Output {
  readonly #send: (message: FromThread) => void
  readonly #ring: OutputRing
  #head = ''
  #line = ''
  #headSent = false
  #refused = false

  constructor(send: (message: FromThread) => void, ring: OutputRing) {
    this.#send = send
    this.#ring = ring
  }

  /** Has an instance of PHP write to it. */
  attach(php: PhpModule): void {
    php.onHeaders = (chunk) => this.#addHead(latin1(chunk))
    php.onStdout = (chunk) => this.#addBody(chunk, () => new php.FS.ErrnoError(EPIPE))
    php.onStderr = (chunk) => this.#addError(latin1(chunk))
  }

  /** A request begins. */
  begin(): void {
    this.#head = ''
    this.#headSent = false
    this.#refused = false
  }

  /** A whole response that does not come from PHP. */
  answer(head: string, body: string): void {
    this.#addHead(head)
    this.#sendBody(new TextEncoder().encode(body))
  }

  /** The request has ended. */
  end(): void {
    this.#sendHead()
    if (this.#line !== '') this.#addError('\n')
    this.#ring.close()
  }

  #addHead(text: string): void {
    this.#head += text
    if (HEAD_END.test(this.#head)) this.#sendHead()
  }

  #sendHead(): void {
    if (this.#headSent || this.#head === '') return
    this.#headSent = true
    this.#send({ type: 'head', json: this.#head })
  }

  /**
   * If nobody wants the response any more, the first write fails: then PHP ends the script, or, if that asks for it by
   * ignore_user_abort(), repeats the write, and the rest is dropped.
   */
  #addBody(chunk: ArrayBufferView, refusal: () => Error): void {
    if (chunk.byteLength === 0) return
    if (!this.#ring.aborted) this.#sendBody(chunk)
    else if (!this.#refused) {
      this.#refused = true
      throw refusal()
    }
  }

  #sendBody(chunk: ArrayBufferView): void {
    this.#sendHead()
    this.#ring.write(view(chunk))
  }

  #addError(text: string): void {
    this.#line += text
    const lineEnd = this.#line.lastIndexOf('\n') + 1
    const end = lineEnd === 0 && this.#line.length > MAX_LINE ? this.#line.length : lineEnd
    if (end === 0) return
    const lines = this.#line.slice(0, end)
    this.#line = this.#line.slice(end)
    this.#send({ type: 'stderr', text: Buffer.from(lines, 'latin1').toString() })
  }
}

/** Emscripten gives signed bytes. */
function view({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}

function latin1(chunk: ArrayBufferView): string {
  return Buffer.from(view(chunk)).toString('latin1')
}
