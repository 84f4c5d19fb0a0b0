/**
 * Starts FastCGI applications and keeps them, as lighttpd, mod_fastcgi and spawn-fcgi do.
 * @packageDocumentation
 */

export type { OutputStream } from './child.ts'
export type { Exit } from './exit-reason.ts'
export { primaryGroup, resolveIdentity } from './identity.ts'
export type { ProcessEvent, ProcessLogger } from './log.ts'
export { createProcessManager, type ProcessFigures, ProcessManager } from './manager.ts'
export type { ManagerMode, ProcessManagerOptions, Start } from './options.ts'
export { type PhpCgiOptions, type PhpFpmOptions, type PhpIni, phpCgi, phpFpm } from './php.ts'
export { DynamicGroup } from './policies/dynamic.ts'
export type { DynamicOptions } from './policies/dynamic-rules.ts'
export type { ProcessState } from './process.ts'
export type { SocketSettings } from './socket-place.ts'
export {
  type Foreground,
  type ForegroundEvents,
  runForeground,
  type SharedSpawnOptions,
  type Spawned,
  spawnDetached,
} from './spawn.ts'
export type { ResourceLimits, SpawnOptions } from './spawn-options.ts'
