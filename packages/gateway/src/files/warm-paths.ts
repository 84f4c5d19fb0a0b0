// Remembers for a while what has been looked up, and whether that was on a local disk.

import { statfs } from 'node:fs'

const MAX_PATHS = 8192

/** Types of file systems, of statfs(2), that are not on another machine. On those a look may take as long as the network does. */
const LOCAL_TYPES: ReadonlySet<number> = new Set([
  0xef53, // ext2, ext3, ext4
  0x58_46_53_42, // XFS
  0x9123_683e, // Btrfs
  0x0102_1994, // tmpfs
  0x794c_7630, // overlayfs
  0x2fc1_2fc1, // ZFS
  0xf2f5_2010, // F2FS
  0xca45_1a4e, // bcachefs
])

/** Values of paths that are forgotten after a while. */
export class WarmPaths<Value> {
  readonly #time: number
  readonly #values = new Map<string, { value: Value; until: number }>()

  /** @param time milliseconds */
  constructor(time: number) {
    this.#time = time
  }

  /** The value of a path, unless its time is over. */
  get(path: string): Value | undefined {
    const found = this.#values.get(path)
    return found !== undefined && found.until > performance.now() ? found.value : undefined
  }

  /** The value that a path had last. */
  last(path: string): Value | undefined {
    return this.#values.get(path)?.value
  }

  set(path: string, value: Value): void {
    if (this.#values.size >= MAX_PATHS) this.#values.clear()
    this.#values.set(path, { value, until: performance.now() + this.#time })
  }

  delete(path: string): void {
    this.#values.delete(path)
  }
}

const isLocalByDevice = new Map<bigint, boolean>()

/** Whether a file is on a file system of this machine; asked once for each of them. @param path latin1 */
export async function isLocal(path: string, device: bigint): Promise<boolean> {
  const known = isLocalByDevice.get(device)
  if (known !== undefined) return known
  const local = await new Promise<boolean>((resolve) => {
    statfs(Buffer.from(path, 'latin1'), (error, stats) => {
      // Some types have the highest bit set, and are then reported as negative numbers.
      resolve(error === null && LOCAL_TYPES.has(stats.type >>> 0))
    })
  })
  if (isLocalByDevice.size >= MAX_PATHS) isLocalByDevice.clear()
  isLocalByDevice.set(device, local)
  return local
}
