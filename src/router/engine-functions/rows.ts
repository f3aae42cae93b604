/** What the lists have in common. */

/** Sorts by id, and equal ids by namespace. */
export function byId<T extends { id: string; namespace?: string }>(one: T, other: T): number {
  return compare(one.id, other.id) || compare(one.namespace ?? '', other.namespace ?? '');
}

/** By code unit, the same on every machine. */
export function compare(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}

/** Whether one of the texts holds what is searched for, in any case of letters; nothing searched for is held by all. */
export function holds(search: string | undefined, ...texts: string[]): boolean {
  if (search === undefined) return true;
  const wanted = search.toLowerCase();
  return texts.some((text) => text.toLowerCase().includes(wanted));
}
