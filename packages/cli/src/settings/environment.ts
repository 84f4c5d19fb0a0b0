// Options from environment variables: FASTCGI_MAX_CONNECTIONS is --max-connections, FASTCGI_TIMEOUTS__HEAD --timeouts.head.
import { similarName } from '@fastcgi/client/internal'
import { type ConfigValues, OPTION_NAMES, optionPlace, place, readValue } from './option-values.ts'

const PREFIX = 'FASTCGI_'

/** What Kubernetes sets for a service called fastcgi; nobody has written it. */
const OF_KUBERNETES = /^FASTCGI_(?:SERVICE_(?:HOST|PORT\w*)|PORT_\w+)$/

/** Options of the environment, and warnings about variables that are none. */
export interface EnvironmentOptions {
  readonly values: ConfigValues
  readonly warnings: readonly string[]
}

/** Reads the options. An empty variable counts as not set. @throws OptionError that names the variable. */
export function environmentOptions(env: NodeJS.ProcessEnv): EnvironmentOptions {
  const values: ConfigValues = {}
  const warnings: string[] = []
  for (const [variable, text] of Object.entries(env)) {
    if (!variable.startsWith(PREFIX) || text === undefined || text === '') continue
    if (OF_KUBERNETES.test(variable) || text.startsWith('tcp://')) continue
    // The path of the configuration file, which is no option of a configuration.
    if (variable === 'FASTCGI_CONFIG') continue
    const found = optionPlace(optionName(variable))
    if (found === undefined || variable === 'FASTCGI_LOGGER')
      warnings.push(`the environment variable ${variable} is no option${suggestion(variable)}`)
    else place(values, found, readValue(found, [text], variable))
  }
  return { values, warnings }
}

function optionName(variable: string): string {
  return variable.slice(PREFIX.length).toLowerCase().replaceAll('__', '.').replaceAll('_', '-')
}

function suggestion(variable: string): string {
  const meant = similarName(optionName(variable), OPTION_NAMES)
  return meant === undefined
    ? ''
    : `; did you mean ${PREFIX}${meant.replaceAll('-', '_').toUpperCase()}?`
}
