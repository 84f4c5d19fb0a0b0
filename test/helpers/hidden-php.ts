/** A machine without PHP, as far as one program can tell. */
import { spawnSync } from 'node:child_process'

const UNSHARE = '/usr/bin/unshare'
const canHide = process.getuid?.() === 0 && spawnSync(UNSHARE, ['-m', 'true']).status === 0

/** Options of a test that hides PHP. */
export const CAN_HIDE_PHP = { skip: canHide ? false : 'hiding PHP needs root and unshare(1)' }

/** Hides each program of PHP, and the directories that are arguments before --. */
const SCRIPT = `
for file in /usr/sbin/php-fpm* /usr/local/sbin/php-fpm* /usr/bin/php-cgi* /usr/local/bin/php-cgi*; do
  if [ -e "$file" ]; then mount --bind /dev/null "$file"; fi
done
while [ "$1" != -- ]; do mount -t tmpfs none "$1"; shift; done
shift
exec "$@"`

/** A command in front of another one: in its namespace nobody can execute PHP, and the given directories are empty. */
export function withoutPhp(...directories: string[]): string[] {
  return [UNSHARE, '-m', '/bin/sh', '-ec', SCRIPT, 'sh', ...directories, '--']
}
