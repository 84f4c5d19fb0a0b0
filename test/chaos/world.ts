/** What lies behind the gateway of a run: PHP of all kinds, a name server, the application of mutated responses. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findPhpCgi, type PhpProcess, startPhpCgi, startPhpFpm } from '#php'
import type { AdapterName } from '../helpers/adapters.ts'
import { DnsServer } from '../helpers/dns-server.ts'
import { lastingPort } from '../helpers/ports.ts'
import { content } from './content.ts'
import type { Setup } from './gateway/messages.ts'
import { MutatedApplication } from './mutations/application.ts'

const ROOT = join(process.cwd(), 'test/fixtures/chaos')
export const HOST = 'php.test'
/** Where the discovered members listen, and an address where nobody does. */
export const HOSTS = ['127.0.0.2', '127.0.0.3'] as const
export const NOBODY = '127.0.0.4'
export const FILE_SIZE = 300_000

const INI = { display_errors: 0, log_errors: 1, output_buffering: 0, post_max_size: 0 }

/** A PHP that can be stopped and started again at the same address. */
export interface Server {
  readonly address: string
  php: PhpProcess
  start(): Promise<void>
}

export class World {
  readonly directory = mkdtempSync(join(tmpdir(), 'chaos-'))
  readonly pools: Server[] = []
  readonly hosts: Server[] = []
  plain!: Server
  dns!: DnsServer
  #mutated!: MutatedApplication
  #discoveredPort = 0

  static async start(seed: number): Promise<World> {
    const world = new World()
    try {
      await world.#start(seed)
      return world
    } catch (error) {
      await world.close()
      throw error
    }
  }

  /** What the gateway is to know of it. */
  setup(adapter: AdapterName): Setup {
    return {
      adapter,
      root: ROOT,
      directory: this.directory,
      phpCgi: findPhpCgi() ?? 'php-cgi',
      pools: this.pools.map(({ address }) => address),
      discover: { name: `${HOST}:${this.#discoveredPort}`, server: this.dns.address },
      plain: this.plain.address,
      mutated: this.#mutated.address,
    }
  }

  async close(): Promise<void> {
    const servers = [...this.pools, ...this.hosts, this.plain]
    await Promise.all(servers.map((server) => server?.php.stop('SIGKILL')))
    await this.dns?.close()
    await this.#mutated?.close()
    rmSync(this.directory, { recursive: true, force: true })
  }

  async #start(seed: number): Promise<void> {
    for (const name of ['files', 'spool']) mkdirSync(join(this.directory, name))
    writeFileSync(join(this.directory, 'files/data'), content('file', FILE_SIZE))
    writeFileSync(join(this.directory, 'posts'), '')
    this.#mutated = await MutatedApplication.start(join(this.directory, 'mutated'), seed)
    this.dns = new DnsServer(await lastingPort())
    await this.dns.start({ [HOST]: [...HOSTS] })
    this.#discoveredPort = await lastingPort()
    for (const at of [0, 1, 2]) this.pools.push(await fpm(`unix:${this.directory}/pool${at}`, 2))
    for (const host of HOSTS) this.hosts.push(await cgi(`${host}:${this.#discoveredPort}`))
    this.plain = await fpm(`127.0.0.1:${await lastingPort()}`, 3)
  }
}

function fpm(address: string, children: number): Promise<Server> {
  const pool = { 'pm.max_requests': 500 }
  return server(address, () => startPhpFpm({ listen: address, children, ini: INI, pool }))
}

function cgi(address: string): Promise<Server> {
  return server(address, () => startPhpCgi({ listen: address, children: 2, ini: INI }))
}

async function server(address: string, start: () => Promise<PhpProcess>): Promise<Server> {
  const made: Server = {
    address,
    php: await start(),
    start: async () => {
      made.php = await start()
    },
  }
  return made
}
