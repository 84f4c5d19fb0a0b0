// Configurations of the web servers that are compared.
import type { Workplace } from '../lib/workplace.ts'

/** A configuration that forwards every request to the application, and the command that runs the server in the foreground. */
export type WebServer = (place: Workplace, port: number) => string[]

/** @param idle number of idle connections kept to the application; 0: a new one for each request, the default of nginx. */
function nginx(place: Workplace, port: number, idle: number, isCached = false): string[] {
  const { directory, socket, root } = place
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${directory}/nginx-${name};`)
    .join(' ')
  const config = place.file(
    `nginx-${port}.conf`,
    `daemon off; worker_processes 1; pid ${directory}/nginx-${port}.pid; error_log ${directory}/nginx.log;
events { worker_connections 16384; }
http {
  access_log off; client_max_body_size 0; keepalive_requests 100000000; keepalive_timeout 1h; ${temporary}
  ${isCached ? `fastcgi_cache_path ${directory}/nginx-cache keys_zone=pages:64m;` : ''}
  upstream app { server unix:${socket}; ${idle === 0 ? '' : `keepalive ${idle};`} }
  server {
    listen 127.0.0.1:${port} backlog=4096; root ${root};
    location / {
      include /etc/nginx/fastcgi_params;
      fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
      fastcgi_keep_conn ${idle === 0 ? 'off' : 'on'}; fastcgi_request_buffering off; fastcgi_max_temp_file_size 0;
      ${isCached ? 'fastcgi_cache pages; fastcgi_cache_valid 200 1d; fastcgi_cache_key $scheme$host$request_uri;' : ''}
      fastcgi_pass app;
    }
    location /files/ { internal; sendfile on; tcp_nopush on; alias ${place.files}/; }
    location /static/ { sendfile on; tcp_nopush on; types { } }
  }
}
`,
  )
  return ['nginx', '-p', directory, '-c', config]
}

/** The web servers by name. The name up to a dash is the command that `isInstalled` checks. */
export const WEB_SERVERS: Readonly<Record<string, WebServer>> = {
  nginx: (place, port) => nginx(place, port, 64),
  'nginx-cached': (place, port) => nginx(place, port, 64, true),
  'nginx-no-keepalive': (place, port) => nginx(place, port, 0),

  haproxy: (place, port) => {
    const config = `global
  nbthread 1
  maxconn 8192
defaults
  mode http
  timeout client 1h
  timeout server 30s
  timeout connect 5s
fcgi-app app
  docroot ${place.root}
  option keep-conn
frontend front
  bind 127.0.0.1:${port}
  default_backend back
backend back
  use-fcgi-app app
  http-reuse always
  server app unix@${place.socket} proto fcgi
`
    return ['haproxy', '-f', place.file('haproxy.cfg', config)]
  },

  lighttpd: (place, port) => {
    const config = `server.document-root = "${place.root}"
server.bind = "127.0.0.1"
server.port = ${port}
server.max-keep-alive-requests = 100000000
server.modules = ("mod_fastcgi")
fastcgi.server = ("/" => (("socket" => "${place.socket}", "check-local" => "disable")))
`
    return ['lighttpd', '-D', '-f', place.file('lighttpd.conf', config)]
  },

  apache2: (place, port) => {
    const modules = ['mpm_event', 'authz_core', 'proxy', 'proxy_fcgi']
    const config = `ServerRoot ${place.directory}
${modules.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`).join('\n')}
PidFile ${place.directory}/apache.pid
ErrorLog ${place.directory}/apache.log
ServerName localhost
Listen 127.0.0.1:${port}
KeepAlive On
MaxKeepAliveRequests 0
StartServers 1
ServerLimit 1
ThreadLimit 256
ThreadsPerChild 256
MaxRequestWorkers 256
ProxyPass "/" "unix:${place.socket}|fcgi://localhost/" enablereuse=on max=256
`
    return ['apache2', '-DFOREGROUND', '-f', place.file('apache.conf', config)]
  },

  caddy: (place, port) => {
    const config = `{
  admin off
  auto_https off
}
http://127.0.0.1:${port} {
  reverse_proxy unix/${place.socket} {
    transport fastcgi {
      root ${place.root}
      split .php
    }
  }
}
`
    const home = `HOME=${place.directory}`
    const file = place.file('Caddyfile', config)
    return ['env', 'GOMAXPROCS=1', home, 'caddy', 'run', '--adapter', 'caddyfile', '--config', file]
  },
}
