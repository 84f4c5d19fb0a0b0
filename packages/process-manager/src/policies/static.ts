// mod_fastcgi's FastCgiServer.
import type { Fleet, Policy } from '../supervision/policy.ts'

/** So many processes, always. */
export class StaticPolicy implements Policy {
  readonly #fleet: Fleet
  readonly #processes: number

  constructor(fleet: Fleet, processes: number) {
    this.#fleet = fleet
    this.#processes = processes
  }

  tick(now: number): void {
    while (this.#fleet.workers.length < this.#processes && this.#fleet.start(now));
  }

  demand(): void {}

  replaces(): boolean {
    return true
  }

  end(): void {}
}
