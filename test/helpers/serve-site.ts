/** A PHP site for `fastcgi serve`, with files that must not be given away. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Test } from 'tap'
import { findPhpFpm, startPhpFpm } from '#php'
import { needs } from './require-program.ts'

export const PHP_FPM = needs('php-fpm', findPhpFpm())
export const SECRET = 'this is source'
const SOURCE = `<?php /* ${SECRET} */ echo 'run'; ?>`
export const SITE: Readonly<Record<string, string>> = {
  'index.php': `<?php echo 'index ', $_SERVER['SCRIPT_NAME'], ' ', $_SERVER['REQUEST_URI'];`,
  'hello.php': `<?php echo 'Hello ', $_GET['name'] ?? '', ' ', $_SERVER['PATH_INFO'] ?? '';`,
  'slow.php': `<?php
    echo 'begin ';
    while (ob_get_level() > 0) ob_end_flush();
    flush();
    usleep((int) $_GET['ms'] * 1000);
    echo 'end';`,
  'times.php': '<?php $from = microtime(true); usleep(100000); echo "$from ", microtime(true);',
  'style.css': 'body { color: red }',
  'other.html': '<p>other index</p>',
  'secret.php': SOURCE,
  'upper.PHP': SOURCE,
  'backup.php~': SOURCE,
  'backup.php.bak': SOURCE,
  'lib/page.inc': SOURCE,
  '.env': SECRET,
  '.git/config': SECRET,
}

export function site(t: Test): string {
  const root = t.testdir()
  for (const [name, content] of Object.entries(SITE)) {
    mkdirSync(dirname(join(root, name)), { recursive: true })
    writeFileSync(join(root, name), content)
  }
  return root
}

export async function php(t: Test, children = 2): Promise<string> {
  const fpm = await startPhpFpm({ children })
  t.teardown(() => fpm.stop())
  return fpm.address
}

export async function textOf(url: string): Promise<string> {
  return (await fetch(url)).text()
}
