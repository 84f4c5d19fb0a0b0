// Options of mode dynamic, their defaults and checks.
import { OptionError } from '@fastcgi/client'
import { type Check, type Checks, flag, integer, milliseconds } from '@fastcgi/client/internal'

/** Options of mode dynamic, named as in mod_fastcgi's FastCgiConfig. Times are in milliseconds. */
export interface DynamicOptions {
  /** Maximum number of processes of all applications together, 1 to 10000. @default 50 */
  maxProcesses?: number | undefined
  /** Maximum number of processes of one application, 1 to 10000. @default 10 */
  maxClassProcesses?: number | undefined
  /** Number of processes, of all applications together, that are kept even if idle. @default 5 */
  minProcesses?: number | undefined
  /** Idle processes are ended early, each second, while no more than this many can still be started; at most `maxProcesses`. @default 5 */
  processSlack?: number | undefined
  /** How long a request waits before another process is started; the first process is started at once. @default 3000 */
  startDelay?: number | undefined
  /** Length of a load measurement period. @default 300000 */
  updateInterval?: number | undefined
  /** Time between two checks for superfluous processes. @default 300000 */
  killInterval?: number | undefined
  /** Weight of the latest period in the exponentially smoothed load, 0 to 1. @default 0.5 */
  gainValue?: number | undefined
  /** The last process of an application is ended if its load is below this, in percent; 0: never. @default 0 */
  singleThreshold?: number | undefined
  /** Any other process is ended if the load of the remaining ones would be below this, in percent. @default 50 */
  multiThreshold?: number | undefined
  /** Start a process that exited again at once, instead of on demand. @default false */
  restart?: boolean | undefined
}

/** {@link DynamicOptions} with every default filled in. */
export type DynamicRules = {
  readonly [K in keyof DynamicOptions]-?: NonNullable<DynamicOptions[K]>
}

const fraction: Check = (value) =>
  typeof value === 'number' && value >= 0 && value <= 1 ? undefined : 'a number from 0 to 1'

/** Checks of {@link DynamicOptions}. */
export const dynamicChecks: Checks = {
  maxProcesses: integer(1, 10_000),
  maxClassProcesses: integer(1, 10_000),
  minProcesses: integer(0, 10_000),
  processSlack: integer(0, 10_000),
  startDelay: milliseconds,
  updateInterval: integer(1),
  killInterval: integer(1),
  gainValue: fraction,
  singleThreshold: integer(0, 100),
  multiThreshold: integer(0, 100),
  restart: flag,
}

const DEFAULTS: DynamicRules = {
  maxProcesses: 50,
  maxClassProcesses: 10,
  minProcesses: 5,
  processSlack: 5,
  startDelay: 3000,
  updateInterval: 300_000,
  killInterval: 300_000,
  gainValue: 0.5,
  singleThreshold: 0,
  multiThreshold: 50,
  restart: false,
}

/** Fills in the defaults. @throws OptionError if `processSlack` exceeds `maxProcesses`. */
export function dynamicRules(options: DynamicOptions): DynamicRules {
  const given = Object.entries(options).filter(([, value]) => value !== undefined)
  const rules = { ...DEFAULTS, ...Object.fromEntries(given) }
  if (rules.processSlack > rules.maxProcesses)
    throw new OptionError(
      `option processSlack must not be over maxProcesses (${rules.maxProcesses}); got ${rules.processSlack}`,
    )
  return rules
}
