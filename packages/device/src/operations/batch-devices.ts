import { AppError } from "@farebox/kit/app-error";
import type { Allocation } from "../domain/allocation.ts";
import { type AllocateInput, allocateDevice } from "./allocate-device.ts";
import type { DeviceDeps } from "./device-deps.ts";
import { releaseAllocation } from "./release-allocation.ts";

/** An answer to one of many, or why there is none. */
export type ItemResult =
  | { readonly kind: "done"; readonly allocation: Allocation }
  | { readonly kind: "refused"; readonly error: AppError };

const atATime = 8;

/** Does something to each of many, some at a time, in the order of the answers. One that fails stops no other. */
export async function eachOf<T>(
  items: readonly T[],
  act: (item: T) => Promise<Allocation>,
): Promise<readonly ItemResult[]> {
  const results: ItemResult[] = [];
  const rest = [...items.entries()];
  const work = async () => {
    for (let next = rest.shift(); next !== undefined; next = rest.shift()) {
      const [at, item] = next;
      results[at] = await answerOf(() => act(item));
    }
  };
  await Promise.all(Array.from({ length: atATime }, work));
  return results;
}

/**
 * Allocates many. With `isAllOrNothing`, one that is refused gives all the others back, those that ran for a moment included:
 * they are billed for that moment.
 */
export async function batchAllocate(
  deps: DeviceDeps,
  inputs: readonly AllocateInput[],
  isAllOrNothing: boolean,
): Promise<readonly ItemResult[]> {
  const results = await eachOf(inputs, (input) => allocateDevice(deps, input));
  const isRefused = results.some(({ kind }) => kind === "refused");
  if (!isAllOrNothing || !isRefused) return results;
  return Promise.all(
    results.map(async (result): Promise<ItemResult> => {
      if (result.kind === "refused") return result;
      await releaseAllocation(deps, result.allocation.id, "ROLLED_BACK");
      return { kind: "refused", error: new AppError("NO_CAPACITY", "Another one was refused.") };
    }),
  );
}

async function answerOf(act: () => Promise<Allocation>): Promise<ItemResult> {
  try {
    return { kind: "done", allocation: await act() };
  } catch (error) {
    const isOurs = error instanceof AppError;
    return {
      kind: "refused",
      error: isOurs ? error : new AppError("UNAVAILABLE", undefined, { cause: error }),
    };
  }
}
