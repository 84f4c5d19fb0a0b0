import { MessageChannel, type MessagePort } from 'node:worker_threads'

let discardPort: MessagePort | undefined

/**
 * Frees the memory of a buffer at once instead of leaving it to the garbage collector. The buffer is empty afterwards,
 * so no other code may use it. Has no effect on a buffer that shares its memory with others (Buffer's pool).
 *
 * The chunks of node:http request bodies lie outside V8's heap, and are collected only after V8 has marked the whole
 * heap. During an upload at full speed this takes more than half of the CPU time: measured 2.9 s per GB without this
 * function and 1.3 s with it.
 */
export function freeMemory({ buffer, byteLength }: Buffer): void {
  if (byteLength !== buffer.byteLength || !(buffer instanceof ArrayBuffer)) return
  try {
    // A transferred ArrayBuffer is detached from this thread; the closed port discards it (HTML, postMessage).
    discardPort ??= closedPort()
    discardPort.postMessage(null, [buffer])
  } catch {
    // A buffer that cannot be transferred is left to the garbage collector.
  }
}

function closedPort(): MessagePort {
  const { port1, port2 } = new MessageChannel()
  port2.close()
  return port1
}
