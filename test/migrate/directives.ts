/** What the original servers have for FastCGI: taken from the installed programs where these say it, else listed. */
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { findProgram } from '../helpers/programs.ts'
import { temporary } from '../helpers/web-server.ts'

const APACHE_MODULES = '/usr/lib/apache2/modules'

/** Texts in a program, each between two zero bytes. */
function textsIn(file: string): string[] {
  return readFileSync(file, 'latin1').split('\0')
}

/** Names in nginx that begin with `fastcgi_` and are no directives. */
const NOT_OF_NGINX = [
  'fastcgi_hide_headers_hash',
  'fastcgi_params_hash',
  'fastcgi_path_info',
  'fastcgi_script_name',
]

/** The directives of nginx. */
export function nginxDirectives(): string[] {
  const names = textsIn(findProgram('nginx') ?? '').filter((text) => /^fastcgi_[a-z_]+$/.test(text))
  return [...new Set(names)].filter((name) => !NOT_OF_NGINX.includes(name)).sort()
}

/** The directives of modules of Apache, as `apache2 -L` lists them. */
export function apacheDirectives(t: Test, modules: readonly string[]): string[] {
  const directory = temporary(t)
  const file = join(directory, 'apache.conf')
  const needed = ['mpm_event', 'authz_core', 'authn_core', 'slotmem_shm', ...modules]
  const lines = needed.map((name) => `LoadModule ${name}_module ${APACHE_MODULES}/mod_${name}.so`)
  writeFileSync(
    file,
    [`ServerRoot ${directory}`, `ErrorLog ${directory}/log`, ...lines, ''].join('\n'),
  )
  const list = execFileSync(findProgram('apache2') ?? '', ['-f', file, '-L'], {
    encoding: 'latin1',
  })
  const sources = modules.map((name) => `mod_${name}.c`)
  const found = [...list.matchAll(/^(<?\w+) \((mod_\w+\.c)\)/gm)]
  return found.filter(([, , source = '']) => sources.includes(source)).map(([, name = '']) => name)
}

/** Parameters of members and balancers of Apache, and the modules that know them. */
const APACHE_PARAMETERS: Readonly<Record<string, string>> = {
  proxy: `acquire addressttl connectiontimeout disablereuse enablereuse flusher flushpackets flushwait iobuffersize keepalive
    lbset loadfactor max min ping receivebuffersize redirect responsefieldsize retry route secret smax status timeout ttl
    upgrade failonstatus failontimeout forcerecovery growth lbmethod maxattempts nofailover nonce scolonpathdelim
    stickysession stickysessionsep mapping`,
  proxy_hcheck: 'hcexpr hcfails hcinterval hcmethod hcpasses hctemplate hcuri',
}
/** Parameters of BalancerMember and of the balancer. @throws Error if the modules do not know one of them */
export function apacheParameters(): string[] {
  return Object.entries(APACHE_PARAMETERS).flatMap(([module, text]) => {
    const known = textsIn(`${APACHE_MODULES}/mod_${module}.so`)
    const names = text.split(/\s+/)
    // A linker keeps a text that is the end of another one only there.
    const unknown = names.filter((name) => !known.some((each) => each.endsWith(name)))
    if (unknown.length > 0) throw new Error(`mod_${module} does not know ${unknown}`)
    return names
  })
}

/** Keys that lighttpd shares with other modules, so that they do not lie beside those of FastCGI. */
const LIGHTTPD_SHARED = [
  'docroot',
  'host',
  'listen-backlog',
  'port',
  'socket',
  'upgrade',
  'x-sendfile',
]

/** The directives of lighttpd's mod_fastcgi, and the keys of `fastcgi.server`. */
export function lighttpdDirectives(): string[] {
  const texts = textsIn(findProgram('lighttpd') ?? '')
  const directives = texts.filter((text) => /^fastcgi\.(?!requests)[a-z-]+$/.test(text))
  const first = texts.indexOf('bin-path')
  const keys = texts.slice(first, texts.indexOf('read-timeout', first) + 1)
  const named = keys.filter((text) => /^[a-z]+(-[a-z]+)*$/.test(text))
  return [...new Set([...directives, ...named, ...LIGHTTPD_SHARED])]
}

/** All subdirectives of Caddy 2.6 that have to do with FastCGI, each with arguments that it accepts. */
const CADDYFILE = `:80 {
  php_fastcgi 127.0.0.1:9000 {
    root /srv
    split .php
    index index.php
    try_files {path} index.php
    env A b
    resolve_root_symlink
    dial_timeout 1s
    read_timeout 1s
    write_timeout 1s
  }
  reverse_proxy {
    to 127.0.0.1:9000
    lb_policy first
    lb_retries 1
    lb_try_duration 1s
    lb_try_interval 1s
    lb_retry_match path /x
    health_uri /
    health_port 80
    health_interval 1s
    health_timeout 1s
    health_status 200
    health_body x
    health_headers {
      A b
    }
    fail_duration 1s
    max_fails 1
    unhealthy_status 500
    unhealthy_latency 1s
    unhealthy_request_count 1
    flush_interval 1s
    buffer_requests
    buffer_responses
    max_buffer_size 1
    trusted_proxies 10.0.0.0/8
    header_up A b
    header_down A b
    method GET
    rewrite /x
    transport fastcgi {
      root /srv
      split .php
      env A b
      resolve_root_symlink
      dial_timeout 1s
      read_timeout 1s
      write_timeout 1s
    }
    replace_status 500
    handle_response {
      respond 500
    }
  }
}
`
/** Those of later versions, and `dynamic`, which excludes `to`. */
const CADDY_LATER =
  'capture_stderr dynamic request_buffers response_buffers stream_timeout stream_close_delay verbose_logs'

/** The subdirectives of Caddy. @throws Error if the installed one does not know one of them */
export function caddyDirectives(t: Test): string[] {
  const file = join(temporary(t), 'Caddyfile')
  writeFileSync(file, CADDYFILE)
  const { status, stderr } = spawnSync('caddy', ['adapt', '--config', file], { encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
  const named = [...CADDYFILE.matchAll(/^ {4,6}([a-z_]+)/gm)].map(([, name = '']) => name)
  return [...named.filter((name) => name !== 'respond'), ...CADDY_LATER.split(' ')]
}

/** Directives of mod_fastcgi, and their options, of its documentation and its source (fcgi_config.c). */
export const MOD_FASTCGI: readonly string[] =
  `AppClass ExternalAppClass FCGIConfig FastCgiAccessChecker
  FastCgiAccessCheckerAuthoritative FastCgiAuthenticator FastCgiAuthenticatorAuthoritative FastCgiAuthorizer
  FastCgiAuthorizerAuthoritative FastCgiConfig FastCgiExternalServer FastCgiIpcDir FastCgiServer FastCgiSuexec
  FastCgiWrapper -appConnTimeout -autoUpdate -compat -flush -gainValue -group -host -idle-timeout -init-start-delay
  -initial-env -killInterval -listen-queue-depth -maxClassProcesses -maxProcesses -min-server-life -minProcesses
  -multiThreshhold -multiThreshold -nph -pass-header -port -priority -processSlack -processes -restart -restart-delay
  -singleThreshhold -singleThreshold -socket -startDelay -updateInterval -user`.split(/\s+/)
