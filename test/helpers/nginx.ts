/** nginx with a configuration of the test. */
import { chmodSync, writeFileSync } from 'node:fs'
import type { Test } from 'tap'
import { accepting, freePort, startProgram } from './programs.ts'
import { temporary } from './web-server.ts'

/**
 * Starts nginx with one virtual server on a free port of loopback, which is returned. It ends with the test.
 * @param server directives of the virtual server, without `listen`.
 */
export async function startNginx(t: Test, server: string): Promise<number> {
  const directory = temporary(t)
  chmodSync(directory, 0o755)
  const port = await freePort()
  const user = process.getuid?.() === 0 ? 'user root;' : ''
  const paths = ['client_body', 'fastcgi', 'proxy', 'scgi', 'uwsgi'].map(
    (kind) => `${kind}_temp_path ${directory}/${kind};`,
  )
  const file = `${directory}/nginx.conf`
  writeFileSync(
    file,
    `${user} daemon off; pid ${directory}/pid; worker_processes 1; error_log ${directory}/error.log;
events { worker_connections 1024; }
http {
  access_log off; keepalive_requests 1000000; ${paths.join(' ')}
  server {
    listen 127.0.0.1:${port};
    ${server}
  }
}\n`,
  )
  const args = ['-c', file, '-p', directory, '-e', `${directory}/error.log`]
  await accepting(startProgram(t, 'nginx', args), port)
  return port
}

/** The params of nginx's fastcgi.conf, for configurations that do not depend on where nginx is installed. */
export const FASTCGI_CONF = `
fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
fastcgi_param QUERY_STRING $query_string;
fastcgi_param REQUEST_METHOD $request_method;
fastcgi_param CONTENT_TYPE $content_type;
fastcgi_param CONTENT_LENGTH $content_length;
fastcgi_param SCRIPT_NAME $fastcgi_script_name;
fastcgi_param REQUEST_URI $request_uri;
fastcgi_param DOCUMENT_URI $document_uri;
fastcgi_param DOCUMENT_ROOT $document_root;
fastcgi_param SERVER_PROTOCOL $server_protocol;
fastcgi_param REQUEST_SCHEME $scheme;
fastcgi_param HTTPS $https if_not_empty;
fastcgi_param GATEWAY_INTERFACE CGI/1.1;
fastcgi_param SERVER_SOFTWARE nginx/$nginx_version;
fastcgi_param REMOTE_ADDR $remote_addr;
fastcgi_param REMOTE_PORT $remote_port;
fastcgi_param SERVER_ADDR $server_addr;
fastcgi_param SERVER_PORT $server_port;
fastcgi_param SERVER_NAME $server_name;
fastcgi_param REDIRECT_STATUS 200;`
