// Starts the servers to compare.
import { chmodSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { answers } from '../lib/load.ts'
import { isInstalled, Program } from '../lib/program.ts'
import { freePort, type Workplace } from '../lib/workplace.ts'
import { WEB_SERVERS } from './web-servers.ts'

const SERVE = fileURLToPath(new URL('./serve.js', import.meta.url))

/** A running server that is compared with others. */
export class Contestant {
  readonly name: string
  readonly port: number
  readonly #programs: readonly Program[]

  constructor(name: string, port: number, programs: readonly Program[]) {
    this.name = name
    this.port = port
    this.#programs = programs
  }

  get cpuSeconds(): number {
    return this.#sum((program) => program.cpuSeconds)
  }

  /** Bytes. */
  get memory(): number {
    return this.#sum((program) => program.memory)
  }

  /** Bytes. */
  get peakMemory(): number {
    return this.#sum((program) => program.peakMemory)
  }

  get output(): string {
    return this.#programs.map(({ output }) => output).join('')
  }

  forgetPeak(): void {
    for (const program of this.#programs) program.forgetPeak()
  }

  /** Makes a server of serve.ts collect garbage, so that its memory can be compared. */
  async settle(): Promise<void> {
    if (!(this.name in WEB_SERVERS)) await this.#programs[0]?.ask('memory')
  }

  async stop(): Promise<void> {
    await Promise.all(this.#programs.map((program) => program.stop()))
  }

  #sum(figure: (program: Program) => number): number {
    return this.#programs.reduce((sum, program) => sum + figure(program), 0)
  }
}

/**
 * Starts servers by name: those of {@link WEB_SERVERS}, those of serve.ts, and `http-proxy+nginx`, Fastify in front of
 * nginx; `options` are additional gateway options. Servers whose program is not installed, or that do not answer on `path`, are
 * left out, and a line is printed for each.
 */
export async function startContestants(
  place: Workplace,
  names: readonly string[],
  options: object = {},
  path = '/index.php',
): Promise<Contestant[]> {
  chmodSync(place.directory, 0o755)
  const started: Contestant[] = []
  for (const name of names) {
    const port = await freePort()
    const commands = await commandsOf(place, name, port, options)
    if (commands === undefined) {
      console.error(`${name}: not installed, left out`)
      continue
    }
    const programs = commands.map((command) => new Program(command, 'measured'))
    const contestant = new Contestant(name, port, programs)
    if (await answers(port, path)) started.push(contestant)
    else {
      console.error(`${name}: does not answer, left out: ${contestant.output.slice(-400)}`)
      await contestant.stop()
    }
  }
  return started
}

async function commandsOf(
  place: Workplace,
  name: string,
  port: number,
  options: object,
): Promise<string[][] | undefined> {
  const [program = ''] = name.split('-', 1)
  const webServer = WEB_SERVERS[name]
  if (webServer !== undefined) return isInstalled(program) ? [webServer(place, port)] : undefined
  const serve = (kind: string, upstream: string) => [
    ...[process.execPath, '--expose-gc', SERVE],
    ...[kind, String(port), upstream, place.root, JSON.stringify(options)],
  ]
  if (name !== 'http-proxy+nginx') return [serve(name, `unix:${place.socket}`)]
  if (!isInstalled('nginx')) return undefined
  const behind = await freePort()
  const nginx = WEB_SERVERS.nginx?.(place, behind) ?? []
  return [serve('http-proxy', `http://127.0.0.1:${behind}`), nginx]
}
