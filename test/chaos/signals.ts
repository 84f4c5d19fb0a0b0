/** Signals to processes that are known to be those that are meant. */
import { readdirSync, readFileSync } from 'node:fs'

/** Ids of the children of a process whose command line has this word. */
export function childrenOf(parent: number, word: string): number[] {
  try {
    return readdirSync(`/proc/${parent}/task`)
      .flatMap((task) => readFileSync(`/proc/${parent}/task/${task}/children`, 'latin1').split(' '))
      .filter(Boolean)
      .map(Number)
      .filter((pid) => commandOf(pid).includes(word))
  } catch {
    return []
  }
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1')
  } catch {
    return ''
  }
}

/** Whether it was still there. */
export function send(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal)
    return true
  } catch {
    return false
  }
}
