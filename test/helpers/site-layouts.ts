/** Sites under each adapter, with hidden files that must not be given away. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Test } from 'tap'
import { ADAPTERS, type AdapterName, startAdapter } from './adapters.ts'
import { bodyOf } from './php-http.ts'
import { rawGet } from './raw-http.ts'

const FIXTURES = join(process.cwd(), 'test/fixtures/sites')
/** What must not be seen: it is in every file that is not to be served, and in the output of scripts not to be run. */
export const SECRET = 'this is source'

/** Beside what each site has of its own. */
export const HIDDEN: readonly string[] = [
  '.htaccess',
  '.env',
  '.git/config',
  '.git/hook.php',
  'a/.git/config',
  'index.php~',
  'index.php.bak',
  'index.PHP.old',
  'a/page.inc',
  'a/page.phtml',
  'a/archive.phar',
]

/** Paths that lead to the hidden ones, were they not hidden. */
const SPELLINGS: readonly string[] = [
  ...HIDDEN.map((name) => `/${name}`),
  '/%2ehtaccess',
  '/.%68taccess',
  '//.htaccess',
  '/./.htaccess',
  '/a/../.htaccess',
  '/a/%2e%2e/.htaccess',
  '/a%2f..%2f.htaccess',
  '/.htaccess/',
  '/.HTACCESS',
  '/.htaccess%00',
  '/.htaccess%20',
  '/.htaccess.',
  '/%2egit/config',
  '/.git%2fconfig',
  '/.git//config',
  '/.git/./config',
  '/.git/x/../config',
  '/.git',
  '/.git/',
  '/.git/hook.php/info',
  '/a/.git%2fconfig',
  '/index.php~/',
  '/index.php%7e',
  '/index.php.bak?x',
  '/index.php%00.bak',
  '/index.%50HP.old',
  '/index.PHP',
  '/index.ph%50',
  '/index.php%20',
  '/index.php.',
  '/index.php::$DATA',
  '/a/page.in%63',
  '/a/page.inc/',
]

interface Site {
  root: string
  upstream: string
}

/** Copies a fixture and puts the hidden files into it; below `root` if that is not the whole of it. */
export function copyFixture(t: Test, name: string, publicDirectory = ''): string {
  const directory = mkdtempSync(join(tmpdir(), 'fcgi-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  cpSync(join(FIXTURES, name), directory, { recursive: true })
  const root = join(directory, publicDirectory)
  for (const file of HIDDEN) write(root, file)
  return root
}

export function write(root: string, name: string): void {
  mkdirSync(dirname(join(root, name)), { recursive: true })
  writeFileSync(join(root, name), `<?php echo '${SECRET}';\n`)
}

/** Under each adapter, and mounted below a path where it can be. */
const MOUNTS: ReadonlyArray<readonly [AdapterName, string]> = [
  ...ADAPTERS.map((name) => [name, ''] as const),
  ['fastify', '/in'],
  ['express', '/in'],
]

/** Starts a site everywhere and runs the same test on each. */
export async function everywhere(
  t: Test,
  options: object,
  { root, upstream }: Site,
  run: (t: Test, get: Get, port: number, mount: string) => Promise<void>,
): Promise<void> {
  for (const [name, mount] of MOUNTS)
    await t.test(`${name} ${mount}`, async (t) => {
      const mounted = mount === '' ? {} : { prefix: mount }
      const { port } = await startAdapter(t, name, { ...options, ...mounted, root, upstream })
      const get: Get = async (path) => {
        const answer = await rawGet(port, mount + path)
        const { status, headers } = answer
        return {
          status,
          location: headers.location,
          type: headers['content-type'] ?? '',
          body: Buffer.from(bodyOf(answer), 'latin1').toString(),
        }
      }
      await run(t, get, port, mount)
      const leaks: string[] = []
      for (const path of SPELLINGS)
        if (/this is source|<\?php/.test((await get(path)).body)) leaks.push(path)
      t.strictSame(leaks, [], 'nothing hidden is given away')
    })
}

type Get = (
  path: string,
) => Promise<{ status: number; location: string | undefined; type: string; body: string }>

/** What a table says of each path: a status, a place to go to, or what the body begins with. */
export async function follows(
  t: Test,
  get: Get,
  mount: string,
  table: Record<string, string | number>,
): Promise<void> {
  for (const [path, wanted] of Object.entries(table)) {
    const { status, location, body } = await get(path)
    if (typeof wanted === 'number') t.equal(status, wanted, path)
    else if (wanted.startsWith('-> '))
      t.match({ status, location }, { status: 301, location: mount + wanted.slice(3) }, path)
    else t.match(body, wanted, path)
  }
}
