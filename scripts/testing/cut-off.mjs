// Which test was running when a file was cut off. tap tells at the end only: it fails that test, and the line that closes
// the test says how long it took.

/** How tap calls the failure of the test that was running when time was up. */
const TIMEOUT = 'timeout!'

export class FinishedTests {
  #results = []

  constructor(parser) {
    this.#watch(parser)
  }

  #watch(parser) {
    parser.on('child', (child) => this.#watch(child))
    parser.on('assert', (result) => this.#results.push(result))
  }

  /** The failures of a file that was cut off: those of before, and one that says what was running in place of tap's. */
  failures(failures, milliseconds) {
    const others = failures.filter(({ name }) => name !== TIMEOUT)
    const name = `cut off after ${seconds(milliseconds)}: ${this.#running() ?? this.#last()}`
    return [...others, { name, fullname: name, diag: null }]
  }

  #running() {
    const at = this.#results.findIndex(({ name }) => name === TIMEOUT)
    // The next result closes the test around it.
    const test = at === -1 ? undefined : this.#results[at + 1]
    return test && `${test.fullname} was running for ${seconds(test.time)}`
  }

  #last() {
    const last = this.#results.at(-1)
    return last === undefined
      ? 'no test had reported anything'
      : `nothing was reported after ${last.fullname}`
  }
}

const seconds = (milliseconds) => `${(milliseconds / 1000).toFixed(1)} s`
