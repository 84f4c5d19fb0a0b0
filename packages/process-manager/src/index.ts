/**
 * Starts FastCGI applications and keeps them, as lighttpd, mod_fastcgi and spawn-fcgi do.
 * @packageDocumentation
 */

export type { ProcessEvent, ProcessLogger } from './log.ts'
export { createProcessManager, type ProcessFigures, ProcessManager } from './manager.ts'
export type { ManagerMode, ProcessManagerOptions, Start } from './options.ts'
export { type PhpCgiOptions, type PhpFpmOptions, type PhpIni, phpCgi, phpFpm } from './php.ts'
export { DynamicGroup } from './policies/dynamic.ts'
export type { DynamicOptions } from './policies/dynamic-rules.ts'
export type { SocketSettings } from './sockets/socket-place.ts'
export {
  type Foreground,
  type ForegroundEvents,
  runForeground,
  type SharedSpawnOptions,
  type Spawned,
  spawnDetached,
} from './spawn.ts'
export type { OutputStream } from './spawning/child.ts'
export type { Exit } from './spawning/exit-reason.ts'
export { primaryGroup, resolveIdentity } from './spawning/identity.ts'
export type { ResourceLimits, SpawnOptions } from './spawning/spawn-options.ts'
export type { ProcessState } from './supervision/process.ts'
