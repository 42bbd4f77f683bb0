/** The word of ours that a number of the contract stands for; undefined for one that this release does not know. */
export function wordOf<const Word extends string>(
  words: readonly Word[],
  numbers: Readonly<Record<Word, number>>,
  number: number,
): Word | undefined {
  return words.find((word) => numbers[word] === number);
}

/** A stored number as the contract's own; one that this release does not know is "not stated". */
export function knownNumber<const Known extends number>(
  numbers: Readonly<Record<string, Known>>,
  number: number,
): Known | 0 {
  return Object.values(numbers).find((known) => known === number) ?? 0;
}
