/** Adminer from Debian's package, for SQLite: which it opens for nobody who has no password. */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findPhpFpm } from '#php'
import { needs } from './require-program.ts'

const PROGRAM = '/usr/share/adminer'
const PLUGINS = ['plugin', 'login-password-less', 'version-noverify']

export const NEEDS_ADMINER = needs(
  'adminer',
  existsSync(`${PROGRAM}/adminer.php`) ? PROGRAM : undefined,
)

const modules = spawnSync(findPhpFpm() ?? 'php-fpm', ['-m'], { encoding: 'utf8' }).stdout
export const NEEDS_SQLITE = needs('php-sqlite3', /^pdo_sqlite$/m.exec(modules ?? '')?.[0])

/** The site that its users make of it: it, its plugins, and a page that sets it up. */
export function makeAdminer(root: string, password: string): void {
  mkdirSync(join(root, 'plugins'))
  cpSync(join(PROGRAM, 'adminer.php'), join(root, 'adminer.php'))
  for (const name of PLUGINS)
    cpSync(join(PROGRAM, `plugins/${name}.php`), join(root, `plugins/${name}.php`))
  writeFileSync(
    join(root, 'index.php'),
    `<?php
    function adminer_object() {
      foreach (glob(__DIR__ . '/plugins/*.php') as $file) include_once $file;
      $hash = password_hash('${password}', PASSWORD_DEFAULT);
      return new AdminerPlugin([new AdminerLoginPasswordLess($hash), new AdminerVersionNoverify]);
    }
    include __DIR__ . '/adminer.php';`,
  )
}
