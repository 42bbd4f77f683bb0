const faultsShown = 20;

/**
 * A price, or the terms it is sold on, that cannot be charged with. Every fault names its field; the message carries
 * the first twenty, `faults` all of them.
 */
export class PriceError extends Error {
  override readonly name = "PriceError";
  readonly faults: readonly string[];

  constructor(subject: string, faults: readonly string[]) {
    const more = faults.length - faultsShown;
    super(
      `${subject}: ${faults.slice(0, faultsShown).join("; ")}${more > 0 ? `; and ${more} more` : ""}`,
    );
    this.faults = faults;
  }
}
