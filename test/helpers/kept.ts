/** Options of a pool that keeps its connections whatever happens, for tests that look at which requests share one. */
export const KEPT = { reuse: 'always', maxAge: 0, idleTimeout: 0 } as const
