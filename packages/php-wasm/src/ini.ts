// php.ini of an instance: what differs from PHP's own defaults, the command line, and the params PHP_VALUE.
import { tmpdir } from 'node:os'
import { insidePath } from './inside-path.ts'

/** php.ini directives by name. */
export type PhpIni = Readonly<Record<string, string | number | boolean>>

const DEFAULTS: PhpIni = {
  sys_temp_dir: insidePath(tmpdir()),
  // There are no processes: these would never return.
  disable_functions: 'exec,passthru,popen,proc_open,shell_exec,system',
  sendmail_path: '',
  // Its timer runs only while a script sleeps.
  max_execution_time: 0,
  // As in the php.ini of distributions.
  implicit_flush: 0,
  // There is no shared memory.
  'opcache.enable': 1,
  'opcache.file_cache_only': 1,
  'opcache.jit': 0,
  // A page that has just been changed is read again.
  'opcache.revalidate_freq': 0,
}

/**
 * Content of php.ini.
 * @param cacheDirectory where compiled scripts are kept
 * @param file content of the file that `-c` names
 * @param settings what `-d` sets: `name=value`, or a name alone, which is 1
 */
export function iniContent(
  cacheDirectory: string,
  file: string,
  settings: readonly string[],
): string {
  const all = { ...DEFAULTS, 'opcache.file_cache': cacheDirectory }
  const defaults = Object.entries(all).map(([name, value]) => `${name}=${value}`)
  return [...defaults.map(iniLine), file, ...settings.map(iniLine), ''].join('\n')
}

/** Adds the params PHP_VALUE and PHP_ADMIN_VALUE, which have lines of php.ini. */
export function withParams(ini: string, params: Readonly<Record<string, string>>): string {
  const { PHP_VALUE = '', PHP_ADMIN_VALUE = '' } = params
  return [ini, PHP_VALUE, PHP_ADMIN_VALUE].filter((text) => text !== '').join('\n')
}

/** A line of php.ini; like php-cgi it quotes a value that begins neither with a letter, digit nor quote. */
function iniLine(setting: string): string {
  const at = setting.indexOf('=')
  if (at === -1) return `${setting}=1`
  const value = setting.slice(at + 1)
  return /^(?:\w*|["'].*)$/.test(value) ? setting : `${setting.slice(0, at)}="${value}"`
}
