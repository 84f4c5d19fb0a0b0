import { fstatSync } from 'node:fs'

/**
 * The inode of an open socket, as /proc shows it; undefined if the descriptor is closed. `bigint` matters: in Node 20 and
 * 22, a plain fstatSync() of a socket makes the resolution of later imports through symbolic links fail.
 */
export function socketInode(fd: number): string | undefined {
  try {
    return String(fstatSync(fd, { bigint: true }).ino)
  } catch {
    return undefined
  }
}
