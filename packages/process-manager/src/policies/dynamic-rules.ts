import { OptionError } from '@fastcgi/client'
import { type Check, type Checks, flag, integer, milliseconds } from '@fastcgi/client/internal'

/** Options of mode dynamic, by their names in mod_fastcgi's FastCgiConfig; times are in milliseconds. */
export interface DynamicOptions {
  /** Most processes of all applications together. @default 50 */
  maxProcesses?: number | undefined
  /** Most processes of one application. @default 10 */
  maxClassProcesses?: number | undefined
  /** So many, of all applications together, are kept without anything to do. @default 5 */
  minProcesses?: number | undefined
  /** Processes are ended early when fewer than so many can still be started. @default 5 */
  processSlack?: number | undefined
  /** A request has to wait this long before another process is started for it; the first one is started at once. @default 3000 */
  startDelay?: number | undefined
  /** Period of the statistics. @default 300000 */
  updateInterval?: number | undefined
  /** How often it is asked whether processes are superfluous. @default 300000 */
  killInterval?: number | undefined
  /** Weight of the last period against those before, 0 to 1. @default 0.5 */
  gainValue?: number | undefined
  /** The last process of an application is ended when its load, in percent, is below; 0 never ends it. @default 0 */
  singleThreshold?: number | undefined
  /** Another one is ended when the load of the others, in percent, would be below. @default 50 */
  multiThreshold?: number | undefined
  /** Processes that end by themselves are started again, not only when there is demand. @default false */
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

/** @throws OptionError */
export function dynamicRules(options: DynamicOptions): DynamicRules {
  const given = Object.entries(options).filter(([, value]) => value !== undefined)
  const rules = { ...DEFAULTS, ...Object.fromEntries(given) }
  if (rules.processSlack > rules.maxProcesses)
    throw new OptionError(
      `option processSlack must not be over maxProcesses (${rules.maxProcesses}); got ${rules.processSlack}`,
    )
  return rules
}
