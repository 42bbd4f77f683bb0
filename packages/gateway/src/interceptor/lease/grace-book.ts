/** What an ended call on grace was charged. */
export type GraceUse = { readonly nanos: bigint; readonly outcomeEnd: number };

/**
 * What accounts have been served while Billing was not reachable: at most a fixed amount each, counted until Billing has
 * acknowledged the outcomes. The exposure of the installation is that amount times accounts and gateways. A restarted gateway
 * begins at zero, because it admits nothing before Billing has acknowledged everything that the journal held.
 */
export class GraceBook {
  readonly #amountMax: bigint;
  readonly #accounts = new Map<string, GraceAccount>();

  /** `amountMax` in nanos of the account's currency; 0 serves nothing. */
  constructor(amountMax: bigint) {
    this.#amountMax = amountMax;
  }

  /** Reserves a call's worst case; false when the account's grace does not cover it. */
  reserve(accountId: string, nanos: bigint): boolean {
    const account = this.#accounts.get(accountId) ?? { used: 0n, ended: [] };
    if (account.used + nanos > this.#amountMax) return false;
    account.used += nanos;
    this.#accounts.set(accountId, account);
    return true;
  }

  /** Ends a call: what it cost stays counted until it is acknowledged. */
  end(accountId: string, reserved: bigint, use: GraceUse): void {
    const account = this.#accounts.get(accountId);
    if (account === undefined) return;
    account.used += use.nanos - reserved;
    account.ended.push(use);
  }

  /** Forgets what Billing has answered for: every outcome before the journal position. */
  acknowledge(position: number): void {
    for (const [accountId, account] of this.#accounts) {
      while ((account.ended[0]?.outcomeEnd ?? Number.POSITIVE_INFINITY) <= position) {
        account.used -= account.ended.shift()?.nanos ?? 0n;
      }
      if (account.used <= 0n && account.ended.length === 0) this.#accounts.delete(accountId);
    }
  }
}

type GraceAccount = {
  /** Reserved by calls in flight, and charged to ended ones that are not acknowledged. */
  used: bigint;
  readonly ended: GraceUse[];
};
