// Temporary files, sockets and ports for a benchmark.
import {
  chmodSync,
  closeSync,
  linkSync,
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

/** A temporary directory for one run, with sockets, configurations, logs, and the root of a site. */
export interface Workplace {
  readonly directory: string
  /** Directory with an `index.php`. */
  readonly root: string
  /** Path of the socket of the application. */
  readonly socket: string
  /** Directory of the files that the application has the gateway send: `?file=NAME`. */
  readonly files: string
  /** Makes a file that the application names as `?file=NAME`, and that is a static file of the site as `/static/NAME`. */
  makeFile(name: string, bytes: number): void
  /** Writes a file and returns its path. */
  file(name: string, text: string): string
}

/** Creates one; it is removed when the process ends. */
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
  const files = join(directory, 'files')
  for (const each of [files, join(root, 'static')]) mkdirSync(each)
  const makeFile = (name: string, bytes: number): void => {
    writeWhole(join(files, name), bytes)
    linkSync(join(files, name), join(root, 'static', name))
  }
  return { directory, root, socket: join(directory, 'app.sock'), files, makeFile, file }
}

const MEGABYTE = Buffer.alloc(1_048_576, 'x')

/** Writes a file that is not sparse, so that reading it costs what a real file costs. */
function writeWhole(path: string, bytes: number): void {
  const fd = openSync(path, 'w')
  for (let left = bytes; left > 0; left -= MEGABYTE.length)
    writeSync(fd, MEGABYTE, 0, Math.min(left, MEGABYTE.length))
  closeSync(fd)
  chmodSync(path, 0o644)
}

/** A free port of the loopback interface. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}
