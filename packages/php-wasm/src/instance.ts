// An instance of PHP as the thread that speaks FastCGI sees it: a thread of its own, which runs one request at a time.
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { Worker } from 'node:worker_threads'
import type { Code } from './builds.ts'
import { LockFiles } from './lock-files.ts'
import type { FromThread, ThreadStart, ToThread } from './messages.ts'
import { type OutputChunk, OutputRing } from './output-ring.ts'

/** What an instance is made of. */
export interface InstanceSource {
  /** Directory of the package with the PHP build. */
  readonly directory: string
  readonly code: Code
  /** Where compiled scripts are kept. */
  readonly cacheDirectory: string
  /** Content of php.ini. */
  readonly ini: string
}

/** A request for PHP. */
export interface InstanceRequest {
  /** Name, value, name, value …; latin1. */
  readonly params: readonly string[]
  readonly body: Readable
  /** Bytes of the body. */
  readonly bodyLength: number
  /** Aborted when nobody wants the response any more. */
  readonly signal: AbortSignal
}

/** Receives the response. */
export interface ResponseReceiver {
  onHead(json: string): void
  /** Resolves when the next chunk may come. */
  onOutput(chunk: OutputChunk): Promise<void>
  onStderr(text: string): void
}

/** How a request ended. */
export interface RequestEnd {
  readonly exitStatus: number
  /** Size of PHP's memory in bytes; it never shrinks. */
  readonly memory: number
}

/** How many there have been in this process. */
let instances = 0

/** Megabytes of stack; the frames of WebAssembly are larger than those of a compiled PHP, which has 8. */
const STACK_SIZE = 32

const THREAD = new URL('./thread/main.js', import.meta.url)

/** A running instance. */
export class Instance {
  /** Content of its php.ini. */
  readonly ini: string
  /** Requests that it has run. */
  requests = 0
  readonly #worker: Worker
  readonly #output: OutputRing = new OutputRing()
  /** Rejects when the thread ends. */
  readonly #ended: Promise<never>

  private constructor(source: InstanceSource) {
    this.ini = source.ini
    const owner = `${process.pid}-${++instances}`
    const workerData: ThreadStart = { ...source, owner, output: this.#output.buffer }
    this.#worker = new Worker(THREAD, { workerData, resourceLimits: { stackSizeMb: STACK_SIZE } })
    this.#ended = new Promise((_, reject) => {
      this.#worker.once('error', (error) =>
        reject(new Error(`PHP has crashed: ${describe(error)}`)),
      )
      this.#worker.once('exit', () => {
        reject(new Error('PHP has ended'))
        this.#output.close()
        new LockFiles().release(owner)
      })
    })
    this.#ended.catch(() => {})
  }

  /** Starts one. @throws Error if PHP does not start. */
  static async start(source: InstanceSource): Promise<Instance> {
    const instance = new Instance(source)
    await Promise.race([once(instance.#worker, 'message'), instance.#ended])
    // Requests keep the process running, not idle instances.
    instance.#worker.unref()
    return instance
  }

  /** Runs a request. @throws Error if PHP has crashed; then the instance is of no use any more. */
  async run(request: InstanceRequest, receiver: ResponseReceiver): Promise<RequestEnd> {
    const { signal, params, bodyLength } = request
    // Nobody waits for it any more: it does not begin.
    if (signal.aborted) return { exitStatus: 0, memory: 0 }
    this.requests++
    this.#output.reset()
    const abort = (): void => this.#output.abort()
    signal.addEventListener('abort', abort, { once: true })
    const end = this.#receive(receiver)
    // It may reject before it is waited for.
    end.catch(() => {})
    try {
      this.#post({ type: 'begin', params, bodyLength })
      await this.#sendBody(request)
      return await Promise.race([end, this.#ended])
    } finally {
      signal.removeEventListener('abort', abort)
      this.#worker.removeAllListeners('message')
    }
  }

  async stop(): Promise<void> {
    await this.#worker.terminate()
  }

  /** Rejects with what the receiver throws. */
  #receive(receiver: ResponseReceiver): Promise<RequestEnd> {
    return new Promise((resolve, reject) => {
      let body: Promise<void> | undefined
      const receive = (message: FromThread): void => {
        if (message.type === 'stderr') receiver.onStderr(message.text)
        else if (message.type === 'head') {
          receiver.onHead(message.json)
          body = this.#receiveBody(receiver)
          body.catch(reject)
        } else if (message.type === 'end')
          Promise.resolve(body).then(() => resolve(message), reject)
      }
      this.#worker.on('message', (message: FromThread) => {
        try {
          receive(message)
        } catch (error) {
          reject(error)
        }
      })
    })
  }

  async #receiveBody(receiver: ResponseReceiver): Promise<void> {
    for await (const chunk of this.#output.chunks()) await receiver.onOutput(chunk)
  }

  async #sendBody({ body, bodyLength }: InstanceRequest): Promise<void> {
    if (bodyLength === 0) return
    try {
      for await (const chunk of body) this.#post({ type: 'body', chunk: chunk as Uint8Array })
    } catch {
      // The rest does not come: the client has gone.
      this.#post({ type: 'cancel' })
    }
  }

  #post(message: ToThread): void {
    this.#worker.postMessage(message)
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
