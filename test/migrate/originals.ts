/** The original servers, each with a configuration of the documents, as far as possible as it is shown. */
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import {
  accepting,
  findProgram,
  freePort,
  type Program,
  startProgram,
} from '../helpers/programs.ts'
import { needs } from '../helpers/require-program.ts'

export type OriginalName = 'nginx' | 'apache2' | 'lighttpd' | 'caddy'

/** Options of a test that needs the server. */
export function needsOriginal(name: OriginalName): { skip: string | false } {
  return needs(name, findProgram(name))
}

/** Options of a test that needs a module of Apache that is a package of its own. */
export function needsModule(name: string): { skip: string | false } {
  const path = join(APACHE_MODULES, `mod_${name}.so`)
  return needs(`libapache2-mod-${name}`, existsSync(path) ? path : undefined)
}

/** Starts a server in a directory of its own, on a free port. It ends with the test. */
export async function startOriginal(
  t: Test,
  name: OriginalName,
  text: string,
  directory: string,
): Promise<{ port: number; log(): string }> {
  const port = await freePort()
  mkdirSync(directory, { recursive: true })
  chmodSync(directory, 0o777)
  const program = START[name](t, { text, directory, port })
  await accepting(program, port)
  const errors = join(directory, 'error.log')
  const log = (): string =>
    `${program.output()}${existsSync(errors) ? readFileSync(errors, 'utf8') : ''}`
  return { port, log }
}

interface Configuration {
  text: string
  directory: string
  port: number
}

const asRoot = process.getuid?.() === 0
const APACHE_MODULES = '/usr/lib/apache2/modules'
const NGINX_FILES = ['fastcgi.conf', 'fastcgi_params', 'mime.types', 'snippets']

const START: Record<OriginalName, (t: Test, configuration: Configuration) => Program> = {
  nginx(t, { text, directory, port }) {
    const file = join(directory, 'nginx.conf')
    for (const name of NGINX_FILES.filter((name) => existsSync(join('/etc/nginx', name))))
      cpSync(join('/etc/nginx', name), join(directory, name), { recursive: true })
    const temporaries = ['client_body', 'fastcgi', 'proxy', 'scgi', 'uwsgi'].map(
      (kind) => `${kind}_temp_path ${directory}/${kind};`,
    )
    writeFileSync(
      file,
      `${asRoot ? 'user root;' : ''} daemon off; pid ${directory}/pid; error_log stderr; worker_processes 1;
events {}
http {
  include mime.types; default_type application/octet-stream; access_log off; ${temporaries.join(' ')}
${text.replace(/listen 80;/, `listen 127.0.0.1:${port};`)}
}\n`,
    )
    return startProgram(t, 'nginx', ['-c', file, '-p', directory, '-e', 'stderr'])
  },
  apache2(t, { text, directory, port }) {
    const file = join(directory, 'apache.conf')
    const fcgid = /Fcgid/.test(text)
    const modules = [...MODULES, ...(fcgid ? ['fcgid'] : [])]
    const fastcgi = /FastCgi/.test(text) && process.env.FCGI_TEST_MOD_FASTCGI
    const load = (name: string): string =>
      `LoadModule ${name}_module ${APACHE_MODULES}/mod_${name}.so`
    writeFileSync(
      file,
      `ServerRoot ${directory}
ServerName example.org
Listen 127.0.0.1:${port}
PidFile ${directory}/pid
ErrorLog ${directory}/error.log
DefaultRuntimeDir ${directory}
Mutex file:${directory} default
${modules.map(load).join('\n')}
${fastcgi ? `LoadModule fastcgi_module ${fastcgi}` : ''}
${asRoot ? 'User www-data\nGroup www-data' : ''}
TypesConfig /etc/mime.types
DirectoryIndex index.html index.php
<Directory />
  Options FollowSymLinks
  AllowOverride None
  Require all denied
</Directory>
<FilesMatch "^\\.ht">
  Require all denied
</FilesMatch>
${fcgid ? `FcgidProcessTableFile ${directory}/shm\n${/FcgidIPCDir/.test(text) ? '' : `FcgidIPCDir ${directory}`}` : ''}
${text.replace('<VirtualHost *:80>', `<VirtualHost 127.0.0.1:${port}>`)}\n`,
    )
    return startProgram(t, 'apache2', ['-D', 'FOREGROUND', '-f', file])
  },
  lighttpd(t, { text, directory, port }) {
    const file = join(directory, 'lighttpd.conf')
    const defaults = Object.entries(LIGHTTPD_DEFAULTS).filter(([key]) => !text.includes(key))
    writeFileSync(
      file,
      `server.bind = "127.0.0.1"
server.upload-dirs = ( "${directory}" )
${text.includes('server.port') ? '' : `server.port = ${port}`}
${defaults.map(([key, value]) => `${key} = ${value}`).join('\n')}
${existsSync(MIME_TYPES) ? `include_shell "${MIME_TYPES}"` : ''}
${text.replace(/server\.port *= *\d+/, `server.port = ${port}`)}\n`,
    )
    return startProgram(t, 'lighttpd', ['-D', '-f', file])
  },
  caddy(t, { text, directory, port }) {
    const file = join(directory, 'Caddyfile')
    writeFileSync(
      file,
      `{
  admin off
  auto_https off
  default_bind 127.0.0.1
}
${text.replace(/^example\.org/m, `http://:${port}`)}\n`,
    )
    const env = { HOME: directory, XDG_CONFIG_HOME: directory, XDG_DATA_HOME: directory }
    return startProgram(t, 'caddy', ['run', '--config', file, '--adapter', 'caddyfile'], { env })
  },
}

const MODULES =
  'mpm_event authz_core authz_host authz_user authn_core authn_file auth_basic alias dir mime env setenvif headers rewrite proxy proxy_fcgi slotmem_shm proxy_balancer lbmethod_byrequests authnz_fcgi'.split(
    ' ',
  )

const MIME_TYPES = '/usr/share/lighttpd/create-mime.conf.pl'
/** What Debian's lighttpd.conf says, as far as it concerns answers. */
const LIGHTTPD_DEFAULTS: Readonly<Record<string, string>> = {
  'server.modules': '( "mod_access", "mod_alias" )',
  'index-file.names': '( "index.php", "index.html" )',
  'url.access-deny': '( "~", ".inc" )',
  'static-file.exclude-extensions': '( ".php", ".pl", ".fcgi" )',
}
