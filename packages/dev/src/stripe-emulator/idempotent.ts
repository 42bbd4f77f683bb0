import { createHash } from "node:crypto";
import type { EmulatedState } from "./emulated-state.ts";
import { StripeFault } from "./stripe-fault.ts";

/** An answer that a key repeats. */
export type KeptAnswer = { readonly status: number; readonly body: object };

/** Runs a POST once for a key, as Stripe does: repeated to the letter it is answered alike, errors of the work included. */
export type Idempotent = (
  of: { readonly key: string; readonly path: string; readonly params: unknown },
  work: () => KeptAnswer,
) => { readonly answer: KeptAnswer; readonly isReplay: boolean };

const keptSeconds = 86_400;
const keysMax = 100_000;

/** Keys are forgotten after 24 hours of the virtual clock. The work is synchronous, so that no key is ever in use. */
export function createIdempotent(state: Pick<EmulatedState, "now">): Idempotent {
  const kept = new Map<string, { content: string; answer: KeptAnswer; atSeconds: number }>();
  return ({ key, path, params }, work) => {
    if (key === "") return { answer: work(), isReplay: false };
    if (key.length > 255) {
      throw new StripeFault(400, {
        type: "invalid_request_error",
        message: "An idempotency key has at most 255 characters.",
      });
    }
    const content = createHash("sha256")
      .update(`${path}\n${JSON.stringify(params)}`)
      .digest("hex");
    const known = kept.get(key);
    if (known !== undefined && state.now() - known.atSeconds < keptSeconds) {
      if (known.content !== content) {
        throw new StripeFault(400, {
          type: "idempotency_error",
          message: `Keys for idempotent requests can only be used with the same parameters they were first used with: ${key}`,
        });
      }
      return { answer: known.answer, isReplay: true };
    }
    // What is refused before the work begins may be asked again under its key: `work` throws. What the work refuses is kept.
    const answer = work();
    kept.delete(key);
    kept.set(key, { content, answer, atSeconds: state.now() });
    const oldest = kept.size > keysMax ? kept.keys().next().value : undefined;
    if (oldest !== undefined) kept.delete(oldest);
    return { answer, isReplay: false };
  };
}
