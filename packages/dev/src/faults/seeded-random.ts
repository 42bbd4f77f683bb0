/** Random numbers that a seed repeats: a fault found once can be looked for again. */
export type SeededRandom = {
  readonly seed: number;
  /** A whole number from 0 up to, not including, `below`. */
  below(below: number): number;
  /** One of these. */
  pick<T>(from: readonly T[]): T;
};

/** Makes the numbers of a seed (mulberry32); without one, of FAREBOX_TEST_SEED or the clock. Tests print the seed. */
export function seededRandom(
  seed = Number(process.env.FAREBOX_TEST_SEED || Date.now() % 1_000_000_007),
): SeededRandom {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  const below = (bound: number) => next() % bound;
  return {
    seed,
    below,
    pick: (from) => {
      const picked = from[below(from.length)];
      if (picked === undefined) throw new Error("nothing to pick from");
      return picked;
    },
  };
}
