// Help text of `fastcgi serve`.
import { OPTION_NAMES } from './option-values.ts'
import { SITE_NAMES } from './site.ts'

const USAGE = `fastcgi serve [DIRECTORY] [options]

Serves a directory of PHP: finds and starts PHP, recognizes the kind of site, and listens on the first free port from 8080 on.

  DIRECTORY                  default: this one; its public/, web/ or htdocs/ where an index.php lies there
  --port N                   port on 127.0.0.1; 0: any free one
  --listen HOST:PORT         address to listen on (PORT alone: on 127.0.0.1; [::1]:8080 for IPv6)
  --site NAME                kind of site: ${SITE_NAMES.join(', ')}
  --php PROGRAM              php-fpm or php-cgi to start (default: what is found); wasm: PHP compiled to WebAssembly,
                             which is slow, from the packages @fastcgi/php-wasm and @php-wasm/node-8-3
  --php-workers N            requests that it serves at a time (default: twice the processors, at least 4)
  --php-user USER            user that scripts run as, for root
  --ini NAME=VALUE           directive of php.ini; can be repeated
  --upstream ADDRESS         use an application that runs already: unix:/run/php/php-fpm.sock, host:9000;
                             can be repeated for several
  --upstream-ca FILE         authority of the certificate of an encrypted upstream, fcgis://host:9000
  --upstream-cert FILE, --upstream-key FILE
                             client certificate for it; --upstream-servername NAME: name that its certificate is for
  --root DIR                 as DIRECTORY, without looking for public/
  --workers N | auto         Node processes that share the port (default 1; auto: one per processor)
  --trust-proxy N | ADDRESS  proxies in front that are believed: their number, or addresses; can be repeated
  --env NAME=VALUE           param for the scripts; can be repeated
  --deny PATH                refuse with 403: /data/ and all below it, or a name such as README; can be repeated
  --hide-header NAME         drop this field of the application's responses; can be repeated
  --set-header 'NAME: VALUE' send this field in place of the application's; can be repeated
  --tls-cert FILE, --tls-key FILE   serve HTTPS and HTTP/2; read again when they change
  --status-page PATH         a status page, for clients of this machine
  --access-log line | combined | json
                             how requests are logged (default: line on a terminal)
  --dev | --no-dev           causes on error pages (default: on a terminal that serves 127.0.0.1)
  --log-level LEVEL          trace, debug (with stacks), info (default), warn, error, fatal, silent
  --grace MS                 time that running requests get at the end (default 10000)
  --adapter NAME             fastify (default), express or http
  --route .php | /           .php (default): scripts, and static files beside them;
                             /: every path goes to the application
  --config FILE              configuration (default: fastcgi.config.js, .mjs or .json in DIRECTORY)

Signals: SIGTERM and SIGINT end it after the running requests, SIGHUP reads the configuration again.

Further options, those of the gateway, are described in its README; lists by repetition, properties as in
--timeouts.head 5000. Each option is also an environment variable (FASTCGI_MAX_CONNECTIONS) and a property of the
configuration file (maxConnections):
`

/** The help text; the names of the gateway's options are taken from the gateway. */
export function serveUsage(): string {
  const others = OPTION_NAMES.filter((name) => !USAGE.includes(`--${name} `)).map(
    (name) => `--${name}`,
  )
  return USAGE + inLines(others).join('\n')
}

function inLines(names: readonly string[]): string[] {
  const lines = ['']
  for (const name of names) {
    const last = `${lines.at(-1)} ${name}`
    if (last.length > 110) lines.push(` ${name}`)
    else lines[lines.length - 1] = last
  }
  return lines.map((line) => ` ${line}`)
}
