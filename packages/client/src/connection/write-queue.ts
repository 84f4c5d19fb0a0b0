import type { Socket } from 'node:net'
import { type CheckPhaseTask, runInCheckPhase } from '../exchange/check-phase.ts'

/** A whole request that waits to be written. */
export interface WriteQueueItem {
  /** Bytes it takes; 0 when it has been given up. */
  readonly unwritten: number
  /** Writes itself, and returns where it ends. */
  writeTo(target: Buffer, at: number): number
  /** It has been written; with `taken`, the system has all of it. Else {@link WriteQueueItem.onHeadTaken} follows. */
  onHeadWritten(taken: boolean): void
  /** The system has taken it, or never will. */
  onHeadTaken(error?: Error | null): void
}

const SCRATCH_SIZE = 65_536
const NOTHING = Buffer.alloc(0)

// For all sockets: nearly always the system has copied what was written by the time that write() returns.
let scratch = Buffer.allocUnsafeSlow(SCRATCH_SIZE)

/** Whole requests for one socket: those of one turn of the event loop leave in one write, at its end. */
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
    for (const item of this.#items) length += item.unwritten
    if (length > 0) this.#write(length)
    // One by one: of an array with one item that costs less than to set its length.
    while (this.#items.pop() !== undefined);
  }

  #write(most: number): void {
    const socket = this.#socket
    const fits = most <= SCRATCH_SIZE
    const target = fits ? scratch : Buffer.allocUnsafeSlow(most)
    const idle = socket.writableLength === 0
    socket.write(target.subarray(0, this.#fill(target)))
    // Without a callback, which costs a turn of its own.
    const taken = idle && socket.writableLength === 0 && socket.errored === null
    if (!taken && fits) scratch = Buffer.allocUnsafeSlow(SCRATCH_SIZE)
    for (const item of this.#items) item.onHeadWritten(taken)
    if (taken) return
    const written = [...this.#items]
    socket.write(NOTHING, (error) => {
      for (const item of written) item.onHeadTaken(error)
    })
  }

  /** Writes the items that have not been given up, forgets the others, and returns the length of it. */
  #fill(target: Buffer): number {
    const items = this.#items
    let at = 0
    let written = 0
    for (const item of items) {
      if (item.unwritten === 0) continue
      at = item.writeTo(target, at)
      items[written++] = item
    }
    while (items.length > written) items.pop()
    return at
  }
}
