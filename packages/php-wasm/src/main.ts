#!/usr/bin/env node
// The program `fastcgi-php-wasm`: a FastCGI application that runs PHP scripts, started like php-cgi.
import { createServer } from '@fastcgi/application'
import { readArguments } from './arguments.ts'
import { compileBuild } from './builds.ts'
import { makeCacheDirectory } from './cache-directory.ts'
import { iniContent } from './ini.ts'
import { insidePath } from './inside-path.ts'
import { phpListeners } from './listeners.ts'
import { InstancePool } from './pool.ts'

/** The largest body of a request in bytes: it lies in PHP's memory. More is answered with 413. */
const MAX_BODY_SIZE = 268_435_456

try {
  const argv = process.argv.slice(2)
  const { build, iniFile, settings, instances, maxRequests } = readArguments(argv)
  const { directory } = build
  const cacheDirectory = insidePath(makeCacheDirectory())
  const ini = iniContent(cacheDirectory, iniFile, settings)
  const code = await compileBuild(directory)
  const source = { directory, code, cacheDirectory, ini }
  const pool = new InstancePool({ ...source, instances, maxRequests })
  await pool.start()
  const server = createServer(phpListeners(pool, ini), { maxBodySize: MAX_BODY_SIZE })
  server.once('error', fail).once('close', () => void pool.stop())
  server.listenFromArgv(argv)
} catch (error) {
  fail(error)
}

function fail(error: unknown): never {
  console.error(`fastcgi-php-wasm: ${error instanceof Error ? error.message : error}`)
  process.exit(1)
}
