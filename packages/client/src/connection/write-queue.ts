// Combines several requests on one socket into one write.
import type { Socket } from 'node:net'
import { type CheckPhaseTask, runInCheckPhase } from '../exchange/check-phase.ts'

/** A complete request that waits to be written. */
export interface WriteQueueItem {
  /** Its encoded size in bytes; 0 when it was aborted. */
  readonly queuedBytes: number
  /** Encodes itself into `target` at offset `at`, and returns the offset of its end. */
  writeTo(target: Buffer, at: number): number
  /** It was written to the socket. Unless it was also flushed, {@link WriteQueueItem.onHeadFlushed} follows. */
  onHeadWritten(flushed: boolean): void
  /** It was flushed to the kernel, or writing it failed with `error`. */
  onHeadFlushed(error?: Error | null): void
}

const SCRATCH_SIZE = 65_536
const NOTHING = Buffer.alloc(0)

// One buffer for all sockets. The kernel has nearly always copied the data when write() returns; if it has not, the
// buffer is left to that write and replaced, since the next write would otherwise overwrite unsent data.
let scratch = Buffer.allocUnsafeSlow(SCRATCH_SIZE)

/**
 * Combines the complete requests that are sent on one socket during one iteration of the event loop into one write, in
 * the check phase; see {@link runInCheckPhase}. With multiplexing this saves a system call per request.
 */
export class WriteQueue implements CheckPhaseTask {
  readonly #socket: Socket
  readonly #items: WriteQueueItem[] = []

  constructor(socket: Socket) {
    this.#socket = socket
  }

  add(item: WriteQueueItem): void {
    if (this.#items.length === 0) runInCheckPhase(this)
    this.#items.push(item)
  }

  onCheckPhase(): void {
    let length = 0
    for (const item of this.#items) length += item.queuedBytes
    if (length > 0) this.#write(length)
    // For an array with one item, pop() is faster than setting its length.
    while (this.#items.pop() !== undefined);
  }

  #write(most: number): void {
    const socket = this.#socket
    const fits = most <= SCRATCH_SIZE
    const target = fits ? scratch : Buffer.allocUnsafeSlow(most)
    const idle = socket.writableLength === 0
    socket.write(target.subarray(0, this.#fill(target)))
    // libuv usually writes synchronously. Then no callback is needed, which would cost another iteration of the loop.
    const flushed = idle && socket.writableLength === 0 && socket.errored === null
    if (!flushed && fits) scratch = Buffer.allocUnsafeSlow(SCRATCH_SIZE)
    for (const item of this.#items) item.onHeadWritten(flushed)
    if (flushed) return
    const written = [...this.#items]
    socket.write(NOTHING, (error) => {
      for (const item of written) item.onHeadFlushed(error)
    })
  }

  /** Encodes the items that were not aborted, removes the others, and returns the total length in bytes. */
  #fill(target: Buffer): number {
    const items = this.#items
    let at = 0
    let written = 0
    for (const item of items) {
      if (item.queuedBytes === 0) continue
      at = item.writeTo(target, at)
      items[written++] = item
    }
    while (items.length > written) items.pop()
    return at
  }
}
