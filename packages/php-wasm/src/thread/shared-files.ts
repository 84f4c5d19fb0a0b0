// Corrections of Emscripten's file system, which takes files of the host for its own alone: other processes create and replace
// them, too.
import { closeSync, openSync, renameSync } from 'node:fs'
import type { FileSystem } from './emscripten.ts'

/** Numbers of Linux, which Emscripten has. */
const O_EXCL = 128
const EEXIST = 20

/** Has files created and replaced by one system call each. */
export function correctSharedFiles(fs: FileSystem): void {
  const { NODEFS } = fs.filesystems
  const { mknod } = NODEFS.node_ops
  Object.assign(NODEFS.node_ops, {
    /** Emscripten's own one would empty a file that another process has created meanwhile. */
    mknod(parent, name, mode, device) {
      if (!fs.isFile(mode)) return mknod(parent, name, mode, device)
      const node = NODEFS.createNode(parent, name, mode, device)
      const path = NODEFS.realPath(node)
      NODEFS.tryFSOperation(() => closeSync(openSync(path, 'wx', mode & 0o7777)))
      return node
    },
    /** Emscripten's own one removes the file that is to be replaced first. */
    rename(node, directory, name) {
      const path = `${NODEFS.realPath(directory)}/${name}`
      NODEFS.tryFSOperation(() => renameSync(NODEFS.realPath(node), path))
      node.name = name
    },
  } satisfies Pick<typeof NODEFS.node_ops, 'mknod' | 'rename'>)

  const { open } = fs
  /** Emscripten looks whether there is the file, and then creates it: another process may be faster. */
  fs.open = (path, flags, mode) => {
    try {
      return open(path, flags, mode)
    } catch (error) {
      const isRace =
        (error as { errno?: number }).errno === EEXIST && (Number(flags) & O_EXCL) === 0
      if (!isRace) throw error
      return open(path, flags, mode)
    }
  }
}
