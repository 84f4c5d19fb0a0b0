/**
 * What the documents show is run: every block of JavaScript as a process of its own, in front of a real php-fpm. HTML
 * comments before a block say what comes of it, as many as there is to say:
 *
 *     <!-- test: GET /hello.php -> 200 Hello -->    it serves, and answers so (the text is a part of the body)
 *     <!-- test: output Hello -->                   it writes that to stdout
 *     <!-- test: file examples/frameworks/koa.js --> it is that file, which is run by another test; also TypeScript
 *
 * A block that is not asked anything has to end by itself, with exit code 0. `/var/www/site` is the SITE below.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { findPhpFpm, type PhpProcess, startPhpFpm } from '#php'
import { needs } from './require-program.ts'
import { scaled } from './time-limit.ts'
import { delay, within } from './wait.ts'

const PHP_FPM = needs('php-fpm', findPhpFpm())
export const WORKSPACE = fileURLToPath(new URL('../../../', import.meta.url))
/** How long a block may take, in milliseconds. */
const DEADLINE = 10_000

type Site = Readonly<Record<string, string | Record<string, string>>>

const SITE: Site = {
  'index.php': `<?php echo 'Hello from PHP, ', $_SERVER['REQUEST_URI'], "\\n";`,
  'hello.php': `<?php echo 'Hello ', $_GET['name'] ?? 'world', "\\n";`,
  'report.php': `<?php echo 'Report for ', $_SERVER['REQUEST_URI'], "\\n";`,
  'env.php': `<?php foreach ($_SERVER as $name => $value) if (is_string($value)) echo "$name=$value\\n";`,
  'post.php': `<?php echo strlen(file_get_contents('php://input')), " bytes\\n";`,
  'download.php': `<?php header('X-Sendfile: ' . __DIR__ . '/files/report.txt'); header('Content-Type: text/plain');`,
  'accel.php': `<?php header('X-Accel-Redirect: /protected/report.txt');`,
  'style.css': 'body { color: red }\n',
  files: { 'report.txt': 'the report of the year\n' },
  // The authorizer that docs/authorizers.md shows, but for its session.
  'authorize.php': `<?php if (isset($_SERVER['REMOTE_PASSWD']) || ($_GET['key'] ?? '') === 'sesame')
    header('Variable-USER: alice');
  else { http_response_code(403); echo "No key, no entry.\n"; }`,
  private: {
    'report.txt': 'The report\n',
    'who.php': `<?php echo 'Hello ', $_SERVER['USER'] ?? '', "\n";`,
  },
}

interface Block {
  /** `README.md:12`, its first line. */
  where: string
  code: string
  /** What the comments before it say. */
  expected: Expectation[]
  /** What the document has shown of the site before. */
  files: Site
}

type Expectation =
  | { kind: 'request'; method: string; path: string; status: number; text: string }
  | { kind: 'output'; text: string }
  | { kind: 'file'; path: string }

/** All Markdown below a directory of the workspace, by its path. */
export function listMarkdown(directory: string): string[] {
  const path = join(WORKSPACE, directory)
  if (!existsSync(path)) return []
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md') && !name.includes('node_modules'))
    .map((name) => `${directory}/${name}`)
    .sort()
}

/** Runs what documents show, given by their paths in the workspace. */
export function runDocuments(documents: readonly string[]): void {
  for (const document of documents) t.test(document, (t) => runDocument(t, document))
}

/** Runs the blocks of Markdown that is in no file of its own. What `console.log(…) // text` says is checked. */
export async function runExample(t: Test, where: string, markdown: string): Promise<void> {
  for (const block of parse(where, markdown).blocks) {
    const said = [...block.code.matchAll(/console\.log\(.*\) \/\/ (.+)$/gm)]
    for (const [, text = ''] of said) block.expected.push({ kind: 'output', text })
    await t.test(where, PHP_FPM, (t) => runBlock(t, block))
  }
}

async function runDocument(t: Test, document: string): Promise<void> {
  const path = join(WORKSPACE, document)
  if (!existsSync(path)) {
    t.fail('there is no such document')
    return
  }
  const { blocks, links, misplaced } = parse(document, readFileSync(path, 'utf8'))
  t.same(misplaced, [], 'every test comment is understood and stands before a block of JavaScript')
  const missing = links.filter((link) => !existsSync(resolve(dirname(path), link)))
  t.same(missing, [], 'relative links lead to files')
  // Those are run by test/migrate, each beside the configuration that it is compared with.
  if (document.startsWith('docs/migrate/')) return
  for (const block of blocks) {
    const file = block.expected.find((expectation) => expectation.kind === 'file')
    if (file !== undefined)
      t.equal(block.code, readFileSync(join(WORKSPACE, file.path), 'utf8'), `is ${file.path}`)
    else await t.test(block.where, PHP_FPM, (t) => runBlock(t, block))
  }
}

/** Finds code blocks, their comments, and links outside of code. */
function parse(name: string, markdown: string) {
  const blocks: Block[] = []
  const links: string[] = []
  const misplaced: string[] = []
  let comments: string[] = []
  let files: Site = {}
  let fence: { mark: string; block: Block | undefined; file?: string | undefined } | undefined
  for (const [at, line] of markdown.split('\n').entries()) {
    const mark = /^\s*(`{3,}|~{3,})\s*([a-z]*)/i.exec(line)
    if (fence !== undefined) {
      const { mark, block, file } = fence
      if (line.trim() === mark) fence = undefined
      else if (block !== undefined) block.code += `${line}\n`
      else if (file !== undefined) files = { ...files, [file]: `${files[file] ?? ''}${line}\n` }
    } else if (mark !== null) {
      const [, mark1 = '', language = ''] = mark
      const isFile = comments.some((comment) => FILE.test(comment))
      const isCode = isFile || /^(js|mjs|cjs|jsx|javascript)$/i.test(language)
      const file = fileOf(comments)
      const isRun = isCode && file === undefined
      const block = isRun
        ? { where: `${name}:${at + 2}`, code: '', expected: [], files }
        : undefined
      if (block !== undefined) blocks.push(expecting(block, comments, misplaced))
      else if (file !== undefined) files = { ...files, [file]: '' }
      else misplaced.push(...comments)
      comments = []
      fence = { mark: mark1, block, file }
    } else if (/^\s*<!--\s*test:/.test(line)) comments.push(`${name}:${at + 1} ${line.trim()}`)
    else if (line.trim() !== '') {
      misplaced.push(...comments.splice(0))
      links.push(...linksOf(line))
    }
  }
  misplaced.push(...comments)
  return { blocks, links, misplaced }
}

const FILE = /<!--\s*test:\s*file\s+(\S+)\s*-->/

/** The name in the only comment before a block, if it says that the block is a file. */
function fileOf(comments: readonly string[]): string | undefined {
  const [comment = '', ...others] = comments
  return others.length > 0 ? undefined : /<!--\s*test:\s*file\s+(\S+)\s*-->/.exec(comment)?.[1]
}

function expecting(block: Block, comments: string[], misplaced: string[]): Block {
  for (const comment of comments) {
    const [, output] = /<!--\s*test:\s*output\s+(.*?)\s*-->/.exec(comment) ?? []
    const [, method, target, status, text] =
      /<!--\s*test:\s*([A-Z]+)\s+(\/\S*)\s+->\s+(\d{3})\s*(.*?)\s*-->/.exec(comment) ?? []
    const [, path] = FILE.exec(comment) ?? []
    if (output !== undefined) block.expected.push({ kind: 'output', text: output })
    else if (path !== undefined) block.expected.push({ kind: 'file', path })
    else if (method !== undefined && target !== undefined)
      block.expected.push({
        kind: 'request',
        method,
        path: target,
        status: Number(status),
        text: text ?? '',
      })
    else misplaced.push(comment)
  }
  return block
}

/** Targets of links and images that are files, without what is behind `#`. */
function linksOf(line: string): string[] {
  const text = line.replace(/`[^`]*`/g, '')
  const inline = [...text.matchAll(/\]\(\s*<?([^)\s>]+)/g)].map(([, target = '']) => target)
  const reference = /^\s*\[[^\]]+\]:\s*<?([^\s>]+)/.exec(text)?.[1]
  return [...inline, ...(reference === undefined ? [] : [reference])]
    .filter((target) => !/^([a-z][a-z0-9+.-]*:|#|\/\/)/i.test(target))
    .map((target) => decodeURIComponent(target.replace(/[#?].*$/, '')))
}

const SHOWN_PORTS = /\b(3000|8080)\b/

/** The code with real addresses in the place of those that are shown. */
function adapt(code: string, unix: string, tcp: string, root: string, port: number): string {
  return (
    code
      .replaceAll('/var/www/site', root)
      .replaceAll('unix:/run/php/php-fpm.sock', unix)
      .replaceAll('/run/php/php-fpm.sock', unix.slice('unix:'.length))
      .replace(/fcgi:\/\/[\w.[\]-]+(:\d+)?/g, `fcgi://${tcp}`)
      .replaceAll('127.0.0.1:9000', tcp)
      // On loopback only, which is not what node:http does when it is given no more than a port.
      .replace(/\.listen\((3000|8080)(?=\)|,\s*[^'"`\s])/g, ".listen($1, '127.0.0.1'")
      .replaceAll("'0.0.0.0'", "'127.0.0.1'")
      .replace(new RegExp(SHOWN_PORTS, 'g'), String(port))
  )
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

let count = 0

let running: Promise<[unix: PhpProcess, tcp: PhpProcess]> | undefined

/** The same two for all blocks of a file; they end with its tests. */
function startPhp(): Promise<[unix: PhpProcess, tcp: PhpProcess]> {
  if (running !== undefined) return running
  const starting = Promise.all([startPhpFpm(), startPhpFpm({ listen: 'tcp' })])
  t.teardown(async () => {
    for (const php of await starting) await php.stop()
  })
  running = starting
  return starting
}

async function runBlock(t: Test, block: Block): Promise<void> {
  const [unix, tcp] = await startPhp()
  const root = t.testdir({ ...SITE, ...block.files })
  const port = await freePort()
  // Where imports resolve: beside the tests, whose packages are the workspace's.
  const file = fileURLToPath(new URL(`readme-${process.pid}-${++count}.mjs`, import.meta.url))
  writeFileSync(file, adapt(block.code, unix.address, tcp.address, root, port))
  t.teardown(() => rmSync(file, { force: true }))

  const child = spawn(process.execPath, [file], {
    cwd: root,
    env: { ...process.env, NODE_OPTIONS: '', NODE_V8_COVERAGE: '' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text))
  const exited = once(child, 'close').then(([code, signal]) => code ?? signal)

  let serves = false
  const cookies = new Map<string, string>()
  for (const expected of block.expected)
    if (expected.kind === 'request') {
      serves = true
      const { method, path, status, text } = expected
      const what = `${method} ${path}`
      if (!SHOWN_PORTS.test(block.code)) t.fail(`${what}: the block names no port 3000 or 8080`)
      const answer = await ask(`http://localhost:${port}${path}`, method, exited, cookies)
      t.equal(answer.status, status, what, { stderr })
      t.match(answer.text, text, what, { stderr })
    }
  if (serves) child.kill('SIGTERM')
  const end = await within('the block to end', exited, DEADLINE).catch((error) => error.message)
  const hint = 'what serves says so before it: <!-- test: GET / -> 200 Hello -->'
  if (!serves) t.equal(end, 0, 'ends by itself, with exit code 0', { stderr, hint })
  for (const expected of block.expected)
    if (expected.kind === 'output') t.match(stdout, expected.text, 'output', { stderr })
}

/** Asks until somebody listens. */
async function ask(
  url: string,
  method: string,
  exited: Promise<unknown>,
  cookies: Map<string, string>,
): Promise<{ status: number; text: string }> {
  const until = performance.now() + scaled(DEADLINE)
  let ended: string | undefined
  exited.then((code) => {
    ended = `the block ended with ${code}`
  })
  for (;;) {
    const headers = { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') }
    const options = { method, headers, redirect: 'manual' } as const
    const response = await fetch(url, options).catch(() => undefined)
    if (response !== undefined) {
      for (const line of response.headers.getSetCookie()) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
        cookies.set(name, value)
      }
      return { status: response.status, text: await response.text() }
    }
    if (ended !== undefined) return { status: 0, text: ended }
    if (performance.now() > until) return { status: 0, text: 'nobody listens' }
    await delay(50)
  }
}
