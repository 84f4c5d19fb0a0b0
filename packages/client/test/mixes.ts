/** Random mixes of scripts, and how an application fares with them behind pools and behind gateways without reuse. */
import {
  Application,
  SimulatedPool,
  SimulatedRequest,
  type Target,
  WithoutReuse,
  type Work,
} from './simulation.ts'
import { VirtualClock } from './virtual-clock.ts'

/** A generator of numbers from 0 to 1 (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let bits = Math.imul(state ^ (state >>> 15), 1 | state)
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits
    return ((bits ^ (bits >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** One mix: everything that a run depends on. */
export interface Mix {
  readonly seed: number
  readonly kind: string
  readonly workers: number
  /** Number of workers after the middle of the run. */
  readonly workersLater: number
  readonly clients: number
  readonly gateways: number
  /** Milliseconds between two requests that do not wait for answers; 0 where each client waits for its answer. */
  readonly interval: number
  /** Share of requests that need a new connection, as POST does. */
  readonly posts: number
  readonly duration: number
  work(random: () => number): Work
  /** Mean of the time that a worker is busy with a request. */
  readonly mean: number
}

type Scripts = Pick<Mix, 'kind' | 'mean' | 'work'>

const between = (random: () => number, low: number, high: number) => low * (high / low) ** random()

const fixed = (random: () => number, least: number): Scripts => {
  const service = between(random, least, 300)
  return { kind: `fixed ${service.toFixed(1)}`, mean: service, work: () => ({ service }) }
}

const bimodal = (random: () => number, least: number): Scripts => {
  const [quick, slow] = random() < 0.5 ? [1, 1000] : [2, 500]
  const fast = Math.max(quick, least)
  const share = between(random, 0.02, 0.5)
  return {
    kind: `${fast} or ${slow}, ${share.toFixed(2)}`,
    mean: fast + share * (slow - fast),
    work: (random) =>
      random() < share ? { script: 'slow', service: slow } : { script: 'fast', service: fast },
  }
}

/** A Pareto distribution, cut at 5 s. */
const heavyTailed = (random: () => number, least: number): Scripts => {
  const low = between(random, least, 20)
  const work = (random: () => number) => ({
    service: Math.min(5000, low / (1 - random()) ** (1 / 1.2)),
  })
  return { kind: `heavy-tailed from ${low.toFixed(1)}`, mean: low * 4, work }
}

const afterWork = (random: () => number, least: number): Scripts => {
  const after = [5, 100, 3000][Math.floor(random() * 3)] ?? 5
  const service = between(random, least, 20)
  const share = between(random, 0.03, 0.5)
  return {
    kind: `${service.toFixed(1)}, and ${after} after ${share.toFixed(2)}`,
    mean: service + share * after,
    work: (random) =>
      random() < share ? { script: 'after', service, after } : { script: 'plain', service },
  }
}

const KINDS = [fixed, bimodal, heavyTailed, afterWork]

/** The mix of a seed. */
export function randomMix(seed: number): Mix {
  const random = randomNumbers(seed)
  const workers = Math.round(between(random, 1, 64))
  const clients = Math.ceil(random() * 4 * workers)
  const least = Math.max(0.5, workers / 16)
  const scripts = (KINDS[seed % KINDS.length] ?? fixed)(random, least)
  const changes = random() < 0.2
  const isOpen = random() < 0.3
  const load = 0.3 + 0.6 * random()
  const used = Math.min(workers, clients)
  return {
    seed,
    ...scripts,
    workers,
    workersLater: changes ? Math.round(between(random, 1, 64)) : workers,
    clients,
    gateways: random() < 0.25 ? 2 : 1,
    interval: isOpen ? scripts.mean / workers / load : 0,
    posts: random() < 0.2 ? 0.5 * random() : 0,
    duration: Math.min(
      60_000,
      Math.max(changes ? 3000 : isOpen ? 1500 : 500, (600 * scripts.mean) / used),
    ),
  }
}

/** A request of a run. */
interface Asked {
  readonly since: number
  readonly work: Work
  readonly post: boolean
  /** Milliseconds from the request to the beginning of its script, or to the end of the run. */
  wait: number
}

/** What came of a run. */
export interface Outcome {
  /** Milliseconds that workers have run scripts. */
  worked: number
  answers: number
  asked: Asked[]
  opened: number
}

/** Runs a mix with pools, or with gateways without reuse. */
export function runMix(mix: Mix, reuse: boolean): Outcome {
  const { clock, application, plain } = start(mix)
  const targets: Target[] = Array.from({ length: mix.gateways }, () =>
    reuse ? new SimulatedPool(clock, application) : plain,
  )
  const outcome: Outcome = { answers: 0, worked: 0, asked: [], opened: 0 }
  const ask = (target: Target, random: () => number, next: () => void) => {
    const work = mix.work(random)
    const post = random() < mix.posts
    const since = clock.now()
    const asked: Asked = { since, work, post, wait: -1 }
    outcome.asked.push(asked)
    const done = () => {
      outcome.answers++
      asked.wait = clock.now() - since - work.service
      next()
    }
    target.dispatch(new SimulatedRequest(work, done, post))
  }
  if (mix.interval > 0) startOpen(mix, clock, targets, ask)
  else startClosed(mix, clock, targets, ask)
  clock.runUntil(mix.duration)
  for (const asked of outcome.asked)
    if (asked.wait < 0) asked.wait = Math.max(0, mix.duration - asked.since - asked.work.service)
  outcome.worked = application.worked
  for (const target of targets) if (target instanceof SimulatedPool) outcome.opened += target.opened
  return outcome
}

/**
 * Sends the requests of a run, each at the same time, through gateways without reuse. Returns how many milliseconds longer
 * a request waited in the run, at most.
 */
export function longestExtraWait(mix: Mix, { asked }: Outcome): number {
  const { clock, plain } = start(mix)
  let extra = 0
  const learned = mix.duration / 4
  for (const { since, work, post, wait } of asked) {
    const done = () => {
      if (since > learned) extra = Math.max(extra, wait - (clock.now() - since - work.service))
    }
    clock.set(() => plain.dispatch(new SimulatedRequest(work, done, post)), since)
  }
  clock.runUntil(mix.duration)
  return extra
}

function start(mix: Mix): { clock: VirtualClock; application: Application; plain: WithoutReuse } {
  const clock = new VirtualClock()
  const application = new Application(clock, mix.workers)
  application.begin = mix.duration / 4
  application.end = mix.duration
  const plain = new WithoutReuse(clock, application)
  clock.set(() => {
    application.workers = mix.workersLater
    application.accept()
    plain.accept()
  }, mix.duration / 2)
  return { clock, application, plain }
}

type Ask = (target: Target, random: () => number, next: () => void) => void

/** Clients that each send a request when the last one has been answered. */
function startClosed(
  { seed, clients }: Mix,
  clock: VirtualClock,
  targets: Target[],
  ask: Ask,
): void {
  for (let client = 0; client < clients; client++) {
    const random = randomNumbers(seed * 1000 + client)
    const target = targets[client % targets.length]
    if (target === undefined) return
    const next = () => {
      clock.set(() => ask(target, random, next), 0.02)
    }
    clock.set(next, client * 0.01)
  }
}

/** Requests that arrive at random times. */
function startOpen(
  { seed, interval }: Mix,
  clock: VirtualClock,
  targets: Target[],
  ask: Ask,
): void {
  const random = randomNumbers(seed * 1000)
  let n = 0
  const next = () => {
    const target = targets[n++ % targets.length]
    if (target !== undefined) ask(target, randomNumbers(seed * 1000 + n), () => {})
    clock.set(next, -Math.log(1 - random()) * interval)
  }
  clock.set(next, 0)
}
