/** A dnsmasq on a loopback port that answers what a test says, and nothing else. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { lastingPort } from './ports.ts'
import { until, within } from './wait.ts'

/** Where the program lies; Linux only, because the tests use all of 127.0.0.0/8. */
export function findDnsmasq(): string | undefined {
  if (process.platform !== 'linux') return undefined
  const directories = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
  return directories.map((directory) => join(directory, 'dnsmasq')).find(executable)
}

function executable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Addresses by host name. */
export type Hosts = Record<string, readonly string[]>

/** A record of a service. */
export interface Service {
  name: string
  target: string
  port: number
  priority?: number
  weight?: number
}

/** A name server for names under `.test`: those it does not have do not exist. */
export class DnsServer {
  readonly #directory = mkdtempSync(join(tmpdir(), 'dns-'))
  readonly #port: number
  #services: readonly Service[] = []
  #process: ChildProcess | undefined
  #output = ''

  constructor(port: number) {
    this.#port = port
    process.once('exit', this.#end)
  }

  /** As the option `discover.servers` takes it. */
  get address(): string {
    return `127.0.0.1:${this.#port}`
  }

  /** Starts it, or ends and starts it anew, with these records. */
  async start(hosts: Hosts, services: readonly Service[] = this.#services): Promise<void> {
    await this.kill()
    this.#services = services
    const file = join(this.#directory, 'dnsmasq.conf')
    this.#writeHosts(hosts)
    writeFileSync(file, this.#configuration().join('\n'))
    const child = spawn(
      findDnsmasq() ?? 'dnsmasq',
      ['--keep-in-foreground', `--conf-file=${file}`],
      {
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    )
    this.#process = child
    this.#output = ''
    child.stderr.setEncoding('utf8').on('data', (text) => {
      this.#output += text
    })
    await until('dnsmasq to start', () => {
      if (child.exitCode !== null) throw new Error(`dnsmasq ended: ${this.#output}`)
      return /read .*hosts - /.test(this.#output)
    })
  }

  /** Has it read other addresses; services stay. */
  async change(hosts: Hosts): Promise<void> {
    this.#writeHosts(hosts)
    const before = this.#reads()
    this.#process?.kill('SIGHUP')
    await until('dnsmasq to read its hosts', () => this.#reads() > before)
  }

  /** Ends it; nobody answers any more. */
  async kill(): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (child === undefined || child.exitCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await within('dnsmasq to end', exited)
  }

  async close(): Promise<void> {
    await this.kill()
    process.off('exit', this.#end)
    rmSync(this.#directory, { recursive: true, force: true })
  }

  readonly #end = (): void => {
    this.#process?.kill('SIGKILL')
    rmSync(this.#directory, { recursive: true, force: true })
  }

  #reads(): number {
    return this.#output.match(/read .*hosts - /g)?.length ?? 0
  }

  #writeHosts(hosts: Hosts): void {
    const lines = Object.entries(hosts).flatMap(([name, addresses]) =>
      addresses.map((address) => `${address} ${name}\n`),
    )
    writeFileSync(join(this.#directory, 'hosts'), lines.join(''))
  }

  #configuration(): string[] {
    return [
      'no-resolv',
      'no-hosts',
      `port=${this.#port}`,
      'listen-address=127.0.0.1',
      'bind-interfaces',
      'local=/test/',
      'local-ttl=0',
      'pid-file=',
      'log-facility=-',
      ...(process.getuid?.() === 0 ? ['user=root', 'group=root'] : []),
      `addn-hosts=${join(this.#directory, 'hosts')}`,
      ...this.#services.map(
        ({ name, target, port, priority = 0, weight = 0 }) =>
          `srv-host=${name},${target},${port},${priority},${weight}`,
      ),
      '',
    ]
  }
}

/** Starts a name server. */
export async function startDns(
  hosts: Hosts,
  services: readonly Service[] = [],
): Promise<DnsServer> {
  for (let attempts = 3; ; attempts--) {
    const server = new DnsServer(await lastingPort())
    try {
      await server.start(hosts, services)
      return server
    } catch (error) {
      await server.close()
      // Another program may have taken the port in the meantime.
      if (attempts === 1) throw error
    }
  }
}
