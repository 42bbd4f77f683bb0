/**
 * Whether a name stands for other models' names: `*` for any run of characters, `?` for exactly one. Prices, upstreams and
 * keys all name models so, and billing and gateway read them by this one rule.
 */
export function isModelPattern(name: string): boolean {
  return name.includes("*") || name.includes("?");
}

/** Orders patterns as they are tried: the one that says most first, then by spelling, so that every reader agrees. */
export function comparePatterns(a: string, b: string): number {
  return patternWeight(b) - patternWeight(a) || (a < b ? -1 : a > b ? 1 : 0);
}

/**
 * Whether a whole name fits a pattern. A name that is a pattern itself fits only one that takes every name it stands for: what
 * it leaves open, only the other's `*` takes. Quadratic at worst, whatever the pattern: names come from clients.
 */
export function matchesModelPattern(pattern: string, name: string): boolean {
  let at = 0;
  let read = 0;
  let star = -1;
  let starRead = 0;
  while (read < name.length) {
    if (pattern[at] === "*") {
      star = at++;
      starRead = read;
    } else if (takesCharacter(pattern[at], name[read])) {
      at++;
      read++;
    } else if (star !== -1) {
      at = star + 1;
      read = ++starRead;
    } else {
      return false;
    }
  }
  while (pattern[at] === "*") at++;
  return at === pattern.length;
}

function takesCharacter(wanted: string | undefined, character: string | undefined): boolean {
  return wanted === "?" ? character !== "*" : wanted === character;
}

/** How much of a pattern is spelled out. Of several patterns that match, the one that says most applies. */
function patternWeight(pattern: string): number {
  let weight = 0;
  for (const character of pattern) if (character !== "*" && character !== "?") weight += 1;
  return weight;
}
