// How slow the machine is at the moment: other programs may keep its processors busy.
import { spawn } from 'node:child_process'
import { once } from 'node:events'

/** What is measured: a process starts, and computes for a while. */
const WORK = ['-e', 'const end = 3e7; for (let n = 0, sum = 0; n < end; n++) sum += n % 7']
/** How many milliseconds that takes on an idle machine. */
const IDLE = 90
/** How often it is measured again while tests run, in milliseconds, and how many of the last figures count. */
const INTERVAL = 5_000
const REMEMBERED = 6

/** Its `slowness` is how many times as long as on an idle machine things take; 1 or more. */
export class Machine {
  #figures = []
  #timer

  static async measured() {
    const machine = new Machine()
    await machine.#measure()
    machine.#timer = setInterval(() => machine.#measure(), INTERVAL)
    return machine
  }

  /** The median of the last figures: the tests themselves keep the processors busy, at times fully. */
  get slowness() {
    const sorted = this.#figures.toSorted((a, b) => a - b)
    return Math.max(1, sorted[sorted.length >> 1])
  }

  stop() {
    clearInterval(this.#timer)
  }

  async #measure() {
    const start = performance.now()
    await once(spawn(process.execPath, WORK, { stdio: 'ignore' }), 'exit')
    this.#figures.push((performance.now() - start) / IDLE)
    this.#figures.splice(0, this.#figures.length - REMEMBERED)
  }
}
