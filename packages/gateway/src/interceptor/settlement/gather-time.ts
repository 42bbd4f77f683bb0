/**
 * How long outcomes gather before they leave together, in milliseconds, given how many left the last time. As many
 * milliseconds as those were, between 5 and 1000: below a thousand calls a second that settles at 5, above at 1000.
 */
export function gatherTimeMs(itemsBefore: number): number {
  return Math.min(Math.max(itemsBefore, gatherMsMin), gatherMsMax);
}

const gatherMsMin = 5;
/** What a list of transactions may lag behind answers under load. */
const gatherMsMax = 1000;
