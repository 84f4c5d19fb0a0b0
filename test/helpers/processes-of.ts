/** Finds processes by a directory that only they know of. */
import { readdirSync, readFileSync } from 'node:fs'

/** The processes that have the path of a socket directory in their command line or environment. */
export function processesOf(directory: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return ['cmdline', 'environ'].some((file) =>
          readFileSync(`/proc/${pid}/${file}`, 'latin1').includes(directory),
        )
      } catch {
        return false
      }
    })
}
