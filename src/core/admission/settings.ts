// The gate's numbers, as the contract's section 2 names them. Parsed once by src/config.ts; the core only
// ever sees this shape.

export interface GateSettings {
  /** A gate opens at this ratio of failures once the window holds `breakerMinCalls` calls … */
  readonly breakerWindowMs: number
  readonly breakerMinCalls: number
  /** In (0, 1]. */
  readonly breakerFailureRatio: number
  /** … or at this many failures in a row. */
  readonly breakerConsecutive: number
  /** Open time; doubles at each reopening, with jitter, to the cap; back to the base after health. */
  readonly breakerCooldownMs: number
  readonly breakerCooldownMaxMs: number
  /** Half-open: probes at a time, a probe's deadline, successes that close. */
  readonly breakerProbes: number
  readonly breakerProbeTimeoutMs: number
  readonly breakerSuccesses: number
  /** A lease that is not renewed within its time is free again. */
  readonly leaseTtlMs: number
  readonly leaseRenewMs: number
  /** The longest wait for a lease, the places in all, the places of one tenant. */
  readonly queueWaitMs: number
  readonly queueLength: number
  readonly queuePerTenant: number
  /** Retries earned by each served call; 0: none at all. In [0, 1]. */
  readonly retryBudgetRatio: number
}
