/**
 * Starts FastCGI applications and keeps them running, as lighttpd, mod_fastcgi and spawn-fcgi do.
 * @packageDocumentation
 */

// The manager: the processes of an application as one dispatcher.
export type { ProcessFigures, ProcessState } from '@fastcgi/client'
// The PHP of this machine.
export { choosePhp, type FoundPhp, findPhp, type PhpKind } from './find-php.ts'
// What a manager reports: log lines and events.
export type { ProcessEvent, ProcessLogger } from './log.ts'
export { createProcessManager, ProcessManager } from './manager.ts'
export type { ManagerMode, ProcessManagerOptions, Start } from './options.ts'
// Options for php-cgi and php-fpm.
export { type PhpCgiOptions, type PhpFpmOptions, type PhpIni, phpCgi, phpFpm } from './php.ts'
export { type PhpProcesses, type PhpProcessesOptions, phpProcesses } from './php-processes.ts'
// Mode dynamic: several applications that share one maximum number of processes.
export { DynamicGroup } from './policies/dynamic.ts'
export type { DynamicOptions } from './policies/dynamic-rules.ts'
// Programs on one socket without a manager, as spawn-fcgi starts them.
export type { SocketSettings } from './sockets/listen-sockets.ts'
export {
  type Foreground,
  type ForegroundEvents,
  runForeground,
  type SharedSpawnOptions,
  type Spawned,
  spawnDetached,
} from './spawn.ts'
// How a program is started, as whom, and how it ended.
export type { OutputStream } from './spawning/child.ts'
export type { Exit } from './spawning/exit-reason.ts'
export { primaryGroup, resolveIdentity } from './spawning/identity.ts'
export type { ResourceLimits, SpawnOptions } from './spawning/spawn-options.ts'
