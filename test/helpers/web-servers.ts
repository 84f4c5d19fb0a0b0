/** Real web servers in front of an application, each with its own configuration, directory and port. */
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { accepting, findProgram, freePort, type Program, startProgram } from './programs.ts'
import { needs } from './require-program.ts'
import { temporary } from './web-server.ts'

/** `apache` is mod_proxy_fcgi, `fcgid` is mod_fcgid. */
export const WEB_SERVERS = ['nginx', 'apache', 'fcgid', 'lighttpd', 'haproxy'] as const
export type WebServerName = (typeof WEB_SERVERS)[number]

/** The sample program, compiled. */
export const SAMPLE = fileURLToPath(new URL('sample-program.js', import.meta.url))
const APACHE_MODULES = '/usr/lib/apache2/modules'
const USER = 'www-data'
const asRoot = process.getuid?.() === 0

/** Options of a test that needs the web server. */
export function needsWebServer(name: WebServerName): { skip: string | false } {
  if (name === 'fcgid') {
    const path = `${APACHE_MODULES}/mod_fcgid.so`
    const found = needs('libapache2-mod-fcgid', existsSync(path) ? path : undefined)
    return found.skip !== false || isReadable() ? found : { skip: `${USER} cannot read ${SAMPLE}` }
  }
  return name === 'apache'
    ? needs('apache2', findProgram('apache2'))
    : needs(name, findProgram(name))
}

/** Apache, started by root, runs programs as another user; a checkout may be none of his business. */
function isReadable(): boolean {
  const asUser = [`--reuid=${USER}`, `--regid=${USER}`, '--clear-groups', 'test', '-r', SAMPLE]
  return !asRoot || spawnSync('setpriv', asUser).status === 0
}

export interface InFront {
  /** Of HTTP. */
  port: number
  program: Program
  /** The sample program, where it is not the web server that starts it. */
  application?: Program
}

/**
 * Starts a web server and, behind it, a sample program: started by the web server itself where it can do that
 * (lighttpd, mod_fcgid), on fd 0; else on a unix socket.
 */
export async function startInFront(t: Test, name: WebServerName, app: string): Promise<InFront> {
  const directory = temporary(t)
  // Apache does not run as root, and has to get at the socket.
  chmodSync(directory, 0o755)
  const port = await freePort()
  let application: Program | undefined
  if (name === 'nginx' || name === 'apache' || name === 'haproxy') {
    const socket = `${directory}/s`
    application = startProgram(t, process.execPath, [SAMPLE, app, `-unix=${socket}`])
    await accepting(application, socket)
    chmodSync(socket, 0o666)
  }
  const program = START[name](t, { directory, port, app })
  await accepting(program, port)
  return { port, program, ...(application && { application }) }
}

interface Place {
  directory: string
  port: number
  app: string
}

const START: Record<WebServerName, (t: Test, place: Place) => Program> = {
  nginx(t, { directory, port }) {
    const file = `${directory}/nginx.conf`
    const paths = ['client_body', 'fastcgi', 'proxy', 'scgi', 'uwsgi'].map(
      (kind) => `${kind}_temp_path ${directory}/${kind};`,
    )
    writeFileSync(
      file,
      `${asRoot ? 'user root;' : ''} daemon off; pid ${directory}/pid; error_log stderr; worker_processes 1;
events {}
http {
  access_log off; client_max_body_size 0; ${paths.join(' ')}
  upstream app { server unix:${directory}/s; keepalive 4; }
  server {
    listen 127.0.0.1:${port};
    location / {
      include ${existsSync('/etc/nginx/fastcgi_params') ? '/etc/nginx/fastcgi_params' : 'fastcgi_params'};
      fastcgi_pass app; fastcgi_keep_conn on;
    }
  }
}\n`,
    )
    return startProgram(t, 'nginx', ['-c', file, '-p', directory, '-e', 'stderr'])
  },
  apache: (t, place) =>
    startApache(
      t,
      place,
      ['proxy', 'proxy_fcgi'],
      [
        `ProxyPass "/" "unix:${place.directory}/s|fcgi://app/" enablereuse=on max=4 flushpackets=on`,
        // Without it Apache drops the Content-Length of applications.
        'SetEnv ap_trust_cgilike_cl 1',
        'CGIPassAuth On',
      ],
    ),
  fcgid: (t, place) =>
    startApache(
      t,
      place,
      ['fcgid'],
      [
        'SetHandler fcgid-script',
        'Options +ExecCGI',
        `FcgidWrapper "${process.execPath} ${SAMPLE} ${place.app}" virtual`,
        'SetEnv ap_trust_cgilike_cl 1',
        'CGIPassAuth On',
      ],
      [
        `FcgidIPCDir ${place.directory}/ipc`,
        `FcgidProcessTableFile ${place.directory}/shm`,
        'FcgidMaxRequestLen 1000000000',
        'FcgidMaxProcesses 1',
        'FcgidMinProcessesPerClass 1',
      ],
    ),
  lighttpd(t, { directory, port, app }) {
    const file = `${directory}/lighttpd.conf`
    const mode = app === 'authorizer' ? AUTHORIZED(directory) : RESPONDER(directory, app)
    writeFileSync(
      file,
      `server.port = ${port}
server.bind = "127.0.0.1"
server.document-root = "${directory}"
server.upload-dirs = ("${directory}")
server.modules = ("mod_fastcgi")
server.max-request-size = 0
server.range-requests = "disable"
server.stream-response-body = 1
${mode}\n`,
    )
    return startProgram(t, 'lighttpd', ['-D', '-f', file])
  },
  haproxy(t, { directory, port }) {
    const file = `${directory}/haproxy.cfg`
    writeFileSync(
      file,
      `global
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend web
  bind 127.0.0.1:${port}
  default_backend app
backend app
  use-fcgi-app app
  http-reuse always
  server app unix@${directory}/s proto fcgi
fcgi-app app
  docroot ${directory}
  option keep-conn
  option get-values
  option mpxs-conns
  option max-reqs 100
  pass-header Authorization\n`,
    )
    return startProgram(t, 'haproxy', ['-db', '-f', file])
  },
}

const host = (directory: string, args: string, more: string): string =>
  `( "bin-path" => "${process.execPath} ${SAMPLE} ${args}", "socket" => "${directory}/s", "max-procs" => 1, "check-local" => "disable", ${more})`

const RESPONDER = (directory: string, app: string): string =>
  `fastcgi.server = ( "/" => (${host(directory, app, '')}) )`

// The first guards, the second answers.
const AUTHORIZED = (directory: string): string =>
  `fastcgi.server = ( "/" => (${host(directory, 'authorizer', '"mode" => "authorizer"')}, ${host(
    `${directory}/2`,
    'authorizer',
    '',
  ).replace('/2/s', '/r')}) )`

function startApache(
  t: Test,
  { directory, port }: Place,
  modules: string[],
  inside: string[],
  outside: string[] = [],
): Program {
  const file = `${directory}/apache.conf`
  mkdirSync(`${directory}/ipc`)
  chmodSync(`${directory}/ipc`, 0o777)
  const all = ['mpm_event', 'authz_core', 'env', ...modules]
  writeFileSync(
    file,
    `ServerRoot ${directory}
ServerName localhost
Listen 127.0.0.1:${port}
PidFile ${directory}/pid
ErrorLog ${directory}/error.log
DefaultRuntimeDir ${directory}
Mutex file:${directory} default
DocumentRoot ${directory}
${all.map((module) => `LoadModule ${module}_module ${APACHE_MODULES}/mod_${module}.so`).join('\n')}
${asRoot ? `User ${USER}\nGroup ${USER}` : ''}
${outside.join('\n')}
<Location "/">
  Require all granted
  ${inside.filter((line) => !line.startsWith('ProxyPass')).join('\n  ')}
</Location>
${inside.filter((line) => line.startsWith('ProxyPass')).join('\n')}\n`,
  )
  return startProgram(t, 'apache2', ['-D', 'FOREGROUND', '-f', file])
}
