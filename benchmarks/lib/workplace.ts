import {
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A temporary directory for one run: sockets, configurations, logs, and the root of a site. */
export interface Workplace {
  readonly directory: string
  /** Directory with an `index.php`. */
  readonly root: string
  /** Where the application listens. */
  readonly socket: string
  /** What the application has sent in the place of a body: `?file=NAME`. */
  readonly files: { readonly directory: string; make(name: string, bytes: number): void }
  /** Writes a file and returns its path. */
  file(name: string, text: string): string
}

/** Makes one; it is removed when the process ends. */
export function makeWorkplace(script = "<?php echo 'never run: the sink answers';\n"): Workplace {
  const directory = mkdtempSync(join(tmpdir(), 'fcgi-bench-'))
  process.on('exit', () => rmSync(directory, { recursive: true, force: true, maxRetries: 3 }))
  const root = join(directory, 'www')
  mkdirSync(root)
  const file = (name: string, text: string): string => {
    const path = join(directory, name)
    writeFileSync(path, text)
    return path
  }
  file('www/index.php', script)
  const files = { directory: join(directory, 'files'), make: makeFile(join(directory, 'files')) }
  mkdirSync(files.directory)
  return { directory, root, socket: join(directory, 'app.sock'), files, file }
}

const MEGABYTE = Buffer.alloc(1_048_576, 'x')

/** Not a sparse one: what has to be read is to be there. */
const makeFile =
  (directory: string) =>
  (name: string, bytes: number): void => {
    const path = join(directory, name)
    const fd = openSync(path, 'w')
    for (let left = bytes; left > 0; left -= MEGABYTE.length)
      writeSync(fd, MEGABYTE, 0, Math.min(left, MEGABYTE.length))
    closeSync(fd)
    chmodSync(path, 0o644)
  }

/** A port of loopback that nobody listens on at the moment. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}
