// What `npm start` runs: PHP for this run only, and the example in front of it.
// npm start [-- --express]; PORT and HOST come from the environment.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import { findPhpCgi, findPhpFpm, startPhpCgi, startPhpFpm } from '../scripts/php.mjs'
import { createApp as createExpressApp } from './legacy-php/express.js'
import { createApp as createFastifyApp } from './legacy-php/fastify.js'

/** @typedef {{ upstream: string, root: string }} AppOptions */

const host = process.env.HOST ?? '127.0.0.1'
const port = Number(process.env.PORT ?? 3000)
const root = fileURLToPath(new URL('legacy-php/site', import.meta.url))
const install =
  'PHP is missing. Debian, Ubuntu: apt install php-fpm; Fedora: dnf install php-fpm; macOS: brew install php'

const startPhp = findPhpFpm() ? startPhpFpm : findPhpCgi() ? startPhpCgi : undefined
if (startPhp === undefined) fail(install)
else await run(startPhp).catch((error) => fail(explain(error)))

/** @param {typeof startPhpFpm | typeof startPhpCgi} start */
async function run(start) {
  const php = await start({ children: 2 })
  try {
    const serve = process.argv.includes('--express') ? serveExpress : serveFastify
    const { url, close } = await serve({ upstream: php.address, root })
    console.log(`${url}/ (Ctrl+C ends it)`)
    const stops = [once(process, 'SIGINT'), once(process, 'SIGTERM')]
    const phpEnded = await Promise.race([php.exited.then(() => true), ...stops])
    if (phpEnded === true) fail(`PHP has ended.\n${php.output()}`)
    await close()
  } finally {
    await php.stop()
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
