/** When in mod_fastcgi's request a guard is asked, and so what it is told. */
export type Phase = 'access-checker' | 'authenticator' | 'authorizer'

/** What a phase means on the wire and to the client. */
export interface PhaseRules {
  /** FCGI_APACHE_ROLE; undefined outside of mod_fastcgi's phases. */
  readonly apacheRole: string | undefined
  /** Whether the guard is given a name and a password, and the client is asked for them. */
  readonly credentials: boolean
  /** Status of a no with `compat: false`: the application's own is not passed on then. */
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
