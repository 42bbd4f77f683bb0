/**
 * Who is here, for what comes and goes thousands of times a second.
 *
 * A Set would do, but V8 builds its table anew every few hundred additions. A table that was dropped in the old generation still
 * points to its members and to the table after it, so that a young collection keeps them all: half of every call's garbage then
 * waits for a full collection. Here a place is emptied and used again.
 */
export class Roster<T> {
  readonly #places: (T | undefined)[] = [];
  readonly #free: number[] = [];

  get size(): number {
    return this.#places.length - this.#free.length;
  }

  /** Answers the place, by which the member is removed. */
  add(member: T): number {
    const place = this.#free.pop() ?? this.#places.length;
    this.#places[place] = member;
    return place;
  }

  /** Removes whoever has this place. Once for each `add`. */
  remove(place: number): void {
    this.#places[place] = undefined;
    this.#free.push(place);
  }

  *[Symbol.iterator](): Iterator<T> {
    for (const member of this.#places) if (member !== undefined) yield member;
  }
}
