// The directory in which the instances of a process share compiled scripts.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isAlive } from './lock-files.ts'

/** Name of such a directory: the id of its process follows. */
const PREFIX = 'php-wasm-'

/** Makes the directory; it is removed when the process exits, or, if that was killed, when the next one starts. */
export function makeCacheDirectory(): string {
  for (const name of readdirSync(tmpdir()))
    if (/^php-wasm-\d+-/.test(name) && !isAlive(name.slice(PREFIX.length))) remove(name)
  const directory = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`))
  process.once('exit', () => rmSync(directory, { recursive: true, force: true, maxRetries: 3 }))
  return directory
}

function remove(name: string): void {
  try {
    rmSync(join(tmpdir(), name), { recursive: true, force: true })
  } catch {
    // It is another user's.
  }
}
