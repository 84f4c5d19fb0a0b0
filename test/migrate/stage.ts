/** Where a pair of configurations is run: a site, private files, PHP and other applications, and where they lie. */
import { chmodSync, cpSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { phpFpm } from '../helpers/php-site.ts'
import { accepting, findProgram, freePort, startProgram } from '../helpers/programs.ts'
import { needs } from '../helpers/require-program.ts'
import { temporary } from '../helpers/web-server.ts'
import type { Pair } from './document.ts'
import type { Places } from './view.ts'

const FIXTURES = join(process.cwd(), 'test/fixtures/migrate')
const AUTHORIZER = join(process.cwd(), 'test/fixtures/authorizer/authorizer.pl')
/** Any time that is long ago. */
const MODIFIED = new Date('2020-02-03T04:05:06Z')

/** The ports that the documents give to PHP and to other applications. */
const PHP_PORTS = [9000, 9001, 9002]
const APPLICATION_PORTS = [3003, 4000, 4001]
const AUTHORIZER_PORTS = [9010]
export const SHOWN_PORT = 3000
/** Places that the documents name; those of the last line are directories for sockets and the like. */
const SHOWN_PLACES = new RegExp(
  [
    '/run/php/php-fpm\\.sock|/var/www/site|/srv/files|/var/www|/usr/local/',
    '/var/(?:run|cache)/|(?<![\\w/])/(?:run|tmp)/',
  ].join('|'),
  'g',
)

export const NEEDS_PERL = needs('libfcgi-perl', findProgram('perl'))

/** One of the two servers of a pair. */
export type Side = 'original' | 'ours'

/** What is on a stage. */
export interface Stage {
  /** For sockets and configurations; each side has a directory of its own below it. */
  directory: string
  /** `/var/www/site` and `/srv/files` of the documents. */
  root: string
  files: string
  /** The text of a configuration with the places and ports of this stage. */
  adapt(text: string, side: Side): string
  /** What answers show of the stage, and how the documents call it. */
  places: Places
}

/** Lays out a site, and starts what the configurations name. */
export async function buildStage(t: Test, pairs: readonly Pair[]): Promise<Stage> {
  const directory = temporary(t)
  const root = join(directory, 'site')
  const files = join(directory, 'files')
  layOut(directory, root, files)
  const php = await phpFpm(t, { children: 6 })
  const socket = php.address.slice('unix:'.length)
  opened(socket)
  const texts = pairs.map(({ original, ours }) => `${original}\n${ours}`).join('\n')
  const ports: Record<Side, Map<number, number>> = { original: new Map(), ours: new Map() }
  await startPhp(t, texts, ports)
  await startApplications(t, texts, ports)
  const adapt = (text: string, side: Side): string => {
    const own = join(directory, side)
    const places: Record<string, string> = {
      '/run/php/php-fpm.sock': socket,
      '/var/www/site': root,
      '/srv/files': files,
      '/var/www': join(directory, 'www'),
      '/usr/local/': `${join(directory, 'local')}/`,
    }
    const placed = text.replace(SHOWN_PLACES, (place) => places[place] ?? `${own}/`)
    return placed.replace(/\b\d{4}\b/g, (port) => String(ports[side].get(Number(port)) ?? port))
  }
  return {
    directory,
    root,
    files,
    adapt,
    places: [
      [root, '/var/www/site'],
      [files, '/srv/files'],
    ],
  }
}

function layOut(directory: string, root: string, files: string): void {
  chmodSync(directory, 0o755)
  for (const side of ['original', 'ours']) {
    mkdirSync(join(directory, side))
    chmodSync(join(directory, side), 0o777)
  }
  cpSync(join(FIXTURES, 'site'), root, { recursive: true })
  mkdirSync(join(root, '.git'))
  for (const name of ['.env', '.htaccess', '.git/config'])
    writeFileSync(join(root, name), '# secret\n')
  mkdirSync(files)
  mkdirSync(join(files, 'remote_scripts'))
  for (const name of ['report.txt', 'remote_scripts/report.txt'])
    writeFileSync(join(files, name), 'the report of the year\n')
  for (const file of [
    'style.css',
    'about.html',
    'a b.txt',
    'assets/logo.svg',
    'uploads/photo.jpg',
    '.env',
  ])
    utimesSync(join(root, file), MODIFIED, MODIFIED)
  for (const name of ['report.txt', 'remote_scripts/report.txt'])
    utimesSync(join(files, name), MODIFIED, MODIFIED)
  for (const name of ['bin/app', 'bin/authorizer', 'soss/soss_mgt_rest']) {
    const program = join(directory, 'local', name)
    mkdirSync(join(program, '..'), { recursive: true })
    cpSync(name === 'bin/authorizer' ? AUTHORIZER : join(FIXTURES, 'application.pl'), program)
    chmodSync(program, 0o755)
  }
}

type Ports = Record<Side, Map<number, number>>

/** PHP is there once for both sides. */
async function startPhp(t: Test, texts: string, ports: Ports): Promise<void> {
  for (const port of PHP_PORTS.filter((port) => texts.includes(String(port)))) {
    const { address } = await phpFpm(t, { listen: 'tcp', children: 4 })
    for (const side of [ports.original, ports.ours]) side.set(port, Number(address.split(':')[1]))
  }
}

/** Others serve one request at a time, so each side has its own. */
async function startApplications(t: Test, texts: string, ports: Ports): Promise<void> {
  const named = (port: number): boolean => new RegExp(`\\b${port}\\b`).test(texts)
  for (const side of [ports.original, ports.ours]) {
    for (const port of APPLICATION_PORTS.filter(named))
      side.set(port, await startOn(t, ['perl', join(FIXTURES, 'application.pl')], 'argument'))
    for (const port of AUTHORIZER_PORTS.filter(named))
      side.set(port, await startOn(t, ['perl', AUTHORIZER], 'spawn-fcgi'))
  }
}

/** Starts a program on a port of its own, which it gets as argument or as socket. */
async function startOn(
  t: Test,
  command: string[],
  how: 'argument' | 'spawn-fcgi',
): Promise<number> {
  const port = await freePort()
  const [program = '', ...args] =
    how === 'argument'
      ? [...command, String(port)]
      : [
          'spawn-fcgi',
          '-n',
          '-a',
          '127.0.0.1',
          '-p',
          String(port),
          '--',
          '/usr/bin/env',
          ...command,
        ]
  await accepting(startProgram(t, program, args), port)
  return port
}

/** A web server that runs as another user has to get at the socket. */
function opened(socket: string): void {
  chmodSync(socket, 0o666)
  chmodSync(join(socket, '..'), 0o755)
}
