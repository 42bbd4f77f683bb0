/**
 * Tells whether a name matches a glob, in which `*` stands for any run of characters and `?` for one. Takes time
 * proportional to the product of the two lengths at worst, never more.
 */
export function matchesGlob(glob: string, name: string): boolean {
  let at = 0;
  let star = -1;
  let afterStar = 0;
  let n = 0;
  while (n < name.length) {
    if (at < glob.length && glob[at] === "*") {
      star = at++;
      afterStar = n;
    } else if (at < glob.length && (glob[at] === "?" || glob[at] === name[n])) {
      at++;
      n++;
    } else if (star !== -1) {
      at = star + 1;
      n = ++afterStar;
    } else {
      return false;
    }
  }
  while (glob[at] === "*") at++;
  return at === glob.length;
}
