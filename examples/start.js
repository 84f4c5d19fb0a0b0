// Run by `npm start [-- --express] [--wasm | --embedded]`: starts PHP, and the example app in front of it. Without PHP, or with
// --wasm, it starts PHP compiled to WebAssembly; with --embedded, a FastCGI application in Node instead. The environment
// variables PORT and HOST set the address.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import { findPhpCgi, findPhpFpm, startPhpCgi, startPhpFpm, startPhpWasm } from '../scripts/php.mjs'
import { createApplication } from './embedded/application.js'
import { createApp as createExpressApp } from './legacy-php/express.js'
import { createApp as createFastifyApp } from './legacy-php/fastify.js'

/** @typedef {{ upstream: string, root: string }} AppOptions */

const host = process.env.HOST ?? '127.0.0.1'
const port = Number(process.env.PORT ?? 3000)
const root = fileURLToPath(new URL('legacy-php/site', import.meta.url))
const install =
  'Debian, Ubuntu: apt install php-fpm; Fedora: dnf install php-fpm; macOS: brew install php'

await run(chooseStart()).catch((error) => fail(explain(error)))

/**
 * The FastCGI application behind the example.
 * @typedef {{ address: string, exited: Promise<unknown>, output(): string, stop(): Promise<void> }} Backend
 */

/** @returns {() => Promise<Backend>} */
function chooseStart() {
  if (process.argv.includes('--embedded')) {
    console.log('PHP is not used: a FastCGI application in Node answers in its place.')
    return startEmbedded
  }
  const startPhp = findPhpFpm() ? startPhpFpm : findPhpCgi() ? startPhpCgi : undefined
  if (startPhp !== undefined && !process.argv.includes('--wasm'))
    return () => startPhp({ children: 2 })
  if (startPhp === undefined) console.log(`There is no PHP (${install}).`)
  console.log('PHP compiled to WebAssembly runs the pages, which is slow: see docs/php-wasm.md.')
  return () => startPhpWasm({ children: 2 })
}

/** @returns {Promise<Backend>} */
async function startEmbedded() {
  const server = createApplication()
  await once(server.listen({ host: '127.0.0.1', port: 0 }), 'listening')
  const address = /** @type {import('node:net').AddressInfo} */ (server.address())
  const exited = once(server, 'close')
  const stop = async () => {
    server.close()
    server.closeAllConnections()
    await exited
  }
  return { address: `127.0.0.1:${address.port}`, exited, output: () => '', stop }
}

/** @param {() => Promise<Backend>} start */
async function run(start) {
  const backend = await start()
  try {
    const serve = process.argv.includes('--express') ? serveExpress : serveFastify
    const { url, close } = await serve({ upstream: backend.address, root })
    console.log(`${url}/ (Ctrl+C ends it)`)
    const stops = [once(process, 'SIGINT'), once(process, 'SIGTERM')]
    const ended = await Promise.race([backend.exited.then(() => true), ...stops])
    if (ended === true) fail(`PHP has ended.\n${backend.output()}`)
    await close()
  } finally {
    await backend.stop()
  }
}

/** @param {AppOptions} options */
async function serveFastify(options) {
  const app = createFastifyApp({ ...options, logger: { level: 'warn' } })
  const close = () => app.close()
  try {
    return { url: await app.listen({ host, port }), close }
  } catch (error) {
    await close()
    throw error
  }
}

/** @param {AppOptions} options */
async function serveExpress(options) {
  const app = createExpressApp(options)
  const server = createServer(app)
  const close = async () => {
    await new Promise((resolve) => server.close(resolve))
    await app.locals.close()
  }
  try {
    await once(server.listen(port, host), 'listening')
    const { port: chosen } = /** @type {import('node:net').AddressInfo} */ (server.address())
    return { url: `http://${host.includes(':') ? `[${host}]` : host}:${chosen}`, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** @param {unknown} error */
function explain(error) {
  const { code, message } = /** @type {NodeJS.ErrnoException} */ (error)
  return code === 'EADDRINUSE' ? `Port ${port} is in use; PORT chooses another one.` : message
}

/** @param {string} message */
function fail(message) {
  console.error(message)
  process.exitCode = 1
}
