/** The phases of mod_fastcgi's request processing in which an authorizer can be asked. */
export type Phase = 'access-checker' | 'authenticator' | 'authorizer'

/** How a phase differs in the params that are sent and in the response to the client. */
export interface PhaseRules {
  /** Value of FCGI_APACHE_ROLE; undefined without a phase. */
  readonly apacheRole: string | undefined
  /** Whether the guard gets the client's user name and password, and the client is asked for them. */
  readonly credentials: boolean
  /** Status of a denial with `compat: false`, in place of the application's status. */
  readonly legacyStatus: number
}

const PHASES: Readonly<Record<Phase | 'none', PhaseRules>> = {
  none: { apacheRole: undefined, credentials: false, legacyStatus: 403 },
  'access-checker': { apacheRole: 'ACCESS_CHECKER', credentials: false, legacyStatus: 403 },
  authenticator: { apacheRole: 'AUTHENTICATOR', credentials: true, legacyStatus: 401 },
  authorizer: { apacheRole: 'AUTHORIZER', credentials: false, legacyStatus: 401 },
}

/** Names of the phases. */
export const PHASE_NAMES: readonly Phase[] = ['access-checker', 'authenticator', 'authorizer']

/** The rules of a phase, or of none. */
export function phaseRules(phase: Phase | undefined): PhaseRules {
  return PHASES[phase ?? 'none']
}
