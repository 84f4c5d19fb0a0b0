/** The examples of examples/frameworks: how they are started, and what is special about each. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { FRAMEWORK_CHECKS } from './framework-checks.ts'
import { lastingPort } from './ports.ts'
import { scaled } from './time-limit.ts'
import { delay } from './wait.ts'

const DIRECTORY = new URL('../../../examples/frameworks/', import.meta.url)
const ROOT = fileURLToPath(new URL('site', DIRECTORY))
/** A directory with Next.js and a site of it, made by scripts/test-versions.mjs: Next.js is too large for every clone. */
const NEXT = process.env.FCGI_TEST_NEXT
/** Has Next.js imported from there; without it, a replacement of what the example uses. */
const REPLACE_NEXT = new URL(
  NEXT === undefined
    ? '../../fixtures/frameworks/replace-next.mjs'
    : '../../../scripts/testing/replace-frameworks.mjs',
  import.meta.url,
).href
/** How long an example may take to listen, in milliseconds. */
const DEADLINE = 20_000

export interface Example {
  /** File in examples/frameworks. */
  name: string
  /** What the framework answers to an error whose status is 502. */
  badGateway: RegExp
  /** More that is to be seen of this one. */
  checks?: ReadonlyArray<(t: Test, url: string) => Promise<void>>
  /** Arguments of node. */
  node?: readonly string[]
  /** Working directory. */
  cwd?: string | undefined
  /** A warning that it may print. */
  warning?: RegExp
}

/** finalhandler of Express and Connect shows the stack, unless NODE_ENV is production. */
const FINALHANDLER = /<title>Error<\/title>[\s\S]*<pre>Bad Gateway<\/pre>/

export const EXAMPLES: readonly Example[] = [
  { name: 'express4.js', badGateway: FINALHANDLER },
  {
    name: 'express-middleware.js',
    badGateway: FINALHANDLER,
    checks: FRAMEWORK_CHECKS.express,
  },
  {
    name: 'fastify-plugins.js',
    badGateway: /^\{"statusCode":502,"code":"FCGI_CONNECT","error":"Bad Gateway"/,
    checks: FRAMEWORK_CHECKS.fastify,
  },
  { name: 'nest-express.ts', badGateway: /^\{"statusCode":502,"message":"Bad Gateway"/ },
  { name: 'nest-fastify.ts', badGateway: /^\{"statusCode":502,"message":"Bad Gateway"/ },
  { name: 'koa.js', badGateway: /^Bad Gateway$/ },
  { name: 'hono.js', badGateway: /^Bad Gateway$/ },
  { name: 'connect.js', badGateway: FINALHANDLER },
  {
    name: 'next-server.js',
    badGateway: /next-error-h1"[^>]*>502</,
    node: ['--import', REPLACE_NEXT],
    cwd: NEXT,
    // What it proposes instead answers 404 for its error page.
    warning: /^.*`app\.renderError\(\)` method is deprecated.*$/m,
  },
]

/** An example that runs. */
export interface Running {
  /** Its origin. */
  url: string
  /** What it has written so far. */
  output(): string
}

/** Starts an example, which ends with the test. @param php where it finds PHP. */
export async function startExample(t: Test, example: Example, php: string): Promise<Running> {
  const { name, node = [], cwd } = example
  const file = name.endsWith('.ts') ? `build/${name.replace(/ts$/, 'js')}` : name
  const port = await lastingPort()
  const child = spawn(process.execPath, [...node, fileURLToPath(new URL(file, DIRECTORY))], {
    cwd,
    env: {
      ...process.env,
      NODE_ENV: 'production',
      NODE_OPTIONS: '',
      NODE_V8_COVERAGE: '',
      PHP: php,
      PORT: String(port),
      ROOT,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text))
  t.teardown(async () => {
    if (child.exitCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'close')
  })
  const url = `http://127.0.0.1:${port}`
  const until = performance.now() + scaled(DEADLINE)
  for (;;) {
    if (
      await fetch(`${url}/api`).then(
        (response) => response.ok,
        () => false,
      )
    )
      return { url, output: () => output }
    if (child.exitCode !== null) throw new Error(`${name} has ended: ${output}`)
    if (performance.now() > until) throw new Error(`${name} does not listen: ${output}`)
    await delay(50)
  }
}
