import type { JournalSettings } from "./journal/journal-settings.ts";

/** How the billing interceptor behaves. The configuration reads these from the environment. */
export type InterceptorSettings = {
  readonly journal: JournalSettings;
  /** QUOTA_LOCK: around every ask, only when other gateways hold leases of the account too, or never. */
  readonly quotaLock: "always" | "contended" | "off";
  /** BILLING_ALLOW_ON_ERROR: whether accounts in good standing are served while Billing does not answer. */
  readonly allowOnError: boolean;
  /** How much each account is served then, in nanos of its currency. */
  readonly graceNanos: bigint;
  /** How long a call may wait for a grant before Billing counts as not answering. */
  readonly waitMsMax: number;
  /** How long Billing may take to answer one batch or close. */
  readonly deadlineMs: number;
  /** How long a lease may lie idle before it is closed. */
  readonly idleMs: number;
};

/** The defaults of everything but the journal's directory. */
export const interceptorDefaults = {
  quotaLock: "always",
  allowOnError: false,
  graceNanos: 1_000_000_000n,
  waitMsMax: 2000,
  deadlineMs: 2000,
  idleMs: 2000,
} as const satisfies Partial<InterceptorSettings>;
