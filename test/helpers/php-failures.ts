/** Failures of scripts, and of what is configured around them, with a real php-fpm. */
import { chmodSync } from 'node:fs'
import { type Failure, loggingGateway, logOf, sendOnly } from './log-lines.ts'
import { ask } from './php-http.ts'
import { phpFpm } from './php-site.ts'
import { until } from './wait.ts'

/** The scripts that they run. */
export const SCRIPTS: Readonly<Record<string, string>> = {
  'a.php': '<?php echo "ok";',
  'fatal.php': '<?php there_is_no_such_function();',
  'parse.php': '<?php this is not PHP',
  'memory.php': '<?php ini_set("memory_limit", "8M"); $all = str_repeat("x", 99999999);',
  'flood.php': '<?php for ($n = 0; $n < 900; $n++) error_log(str_repeat("x", 100));',
  'slow.php': '<?php usleep(400000);',
  'pause.php': '<?php echo "begin"; flush(); usleep(400000);',
  'kill.php': '<?php exec("kill -9 " . getmypid());',
  'cut.php':
    '<?php echo str_repeat("x", 9999); flush(); usleep(50000); exec("kill -9 " . getmypid());',
  'endless.php': '<?php for (;;) echo str_repeat("x", 65536);',
  'send-file.php': '<?php header("X-Sendfile: /etc/hostname");',
  'accel.php': '<?php header("X-Accel-Redirect: /nowhere/a.txt");',
}

export const PHP_FAILURES: Readonly<Record<string, Failure>> = {
  'a fatal error': (t, php) => logOf(t, php, '/fatal.php'),
  'a syntax error': (t, php) => logOf(t, php, '/parse.php'),
  'too much memory': (t, php) => logOf(t, php, '/memory.php'),
  'a flood of notices': (t, php) => logOf(t, php, '/flood.php'),
  'php-fpm does not find the script': (t, php) => logOf(t, { ...php, remoteRoot: '/elsewhere' }),
  'a script is too slow': (t, php) => logOf(t, { ...php, timeouts: { head: 100 } }, '/slow.php'),
  'a script pauses for too long': (t, php) =>
    logOf(t, { ...php, timeouts: { idle: 100 } }, '/pause.php'),
  'a worker dies': (t, php) => logOf(t, php, '/kill.php'),
  'a worker dies in the middle of its response': (t, php) => logOf(t, php, '/cut.php'),
  'no worker is free': async (t, php) => {
    const limits = { maxConnections: 1, queueTimeout: 50 }
    const { port, lines } = await loggingGateway(t, { ...php, ...limits })
    const asked = ['/slow.php', '/a.php'].map((path) => ask(port, path))
    await Promise.all(asked)
    return lines
  },
  'the queue is full': async (t, php) => {
    const { port, lines } = await loggingGateway(t, { ...php, maxConnections: 1, maxQueue: 0 })
    await Promise.all(['/slow.php', '/a.php'].map((path) => ask(port, path)))
    return lines
  },
  'the client reads nothing': async (t, php) => {
    const { port, lines } = await loggingGateway(t, { ...php, timeouts: { send: 200 } })
    sendOnly(t, port, 'GET /endless.php HTTP/1.1\r\nHost: x\r\n\r\n')
    await until('the end of it', () => lines.length > 0)
    return lines
  },
  'a denied path': (t, php) => logOf(t, { ...php, deny: ['/private/'] }, '/private/a.php'),
  'a path that is none': (t, php) => logOf(t, php, '/a%00.php'),
  'the root is not there': async (t, { upstream, root }) =>
    logOf(t, { upstream, root: `${root}/none` }).catch(({ message }) => [message]),
  'X-Sendfile without the option': (t, php) => logOf(t, php, '/send-file.php'),
  'X-Sendfile outside of the roots': (t, php) =>
    logOf(t, { ...php, sendfile: { roots: ['/srv'] } }, '/send-file.php'),
  'X-Accel-Redirect to nowhere': (t, php) =>
    logOf(t, { ...php, accel: { '/protected/': '/srv' } }, '/accel.php'),
  'an upload that is too large': (t, php) =>
    logOf(t, { ...php, maxBodySize: 5 }, '/a.php', { method: 'POST', body: '123456' }),
  'an upload that stops': async (t, php) => {
    const { port, lines } = await loggingGateway(t, { ...php, timeouts: { body: 100 } })
    sendOnly(t, port, 'POST /a.php HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n12')
    await until('the end of it', () => lines.length > 0)
    return lines
  },
  'header fields that are too large': (t, php) =>
    logOf(t, { ...php, maxParamsSize: 1024 }, '/a.php', { headers: { cookie: 'x'.repeat(2000) } }),
  'an authorizer that does not run': (t, php) =>
    logOf(t, {
      ...php,
      guards: [{ authorizer: { upstream: 'unix:/run/none.sock', root: '/srv' } }],
    }),
  'the socket belongs to another user': async (t, { root }) => {
    const { address } = await phpFpm(t)
    chmodSync(address.slice('unix:'.length), 0)
    // Root may connect everywhere.
    const isRoot = process.getuid?.() === 0
    const limits = { upstream: address, root, checkLocal: false }
    if (isRoot) process.seteuid?.(65_534)
    try {
      return await logOf(t, limits)
    } finally {
      if (isRoot) process.seteuid?.(0)
    }
  },
  'php-fpm refuses this address': async (t, { root }) => {
    const pool = { 'listen.allowed_clients': '10.9.9.9' }
    const { address } = await phpFpm(t, { listen: 'tcp', pool })
    return logOf(t, { upstream: address, root })
  },
  'fcgis:// for an application without TLS': async (t, { root }) => {
    const { address } = await phpFpm(t, { listen: 'tcp' })
    return logOf(t, { upstream: `fcgis://${address}`, root })
  },
}
