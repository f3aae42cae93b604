/** Path of an option: keys and list indexes from the top of the file. */
export type Path = readonly PropertyKey[];

/** A path as people write it: `iii-state-gateway.scopes[0].match`. */
export function keyOf(path: Path): string {
  return path.reduce<string>((key, part) => {
    if (typeof part === 'number') return `${key}[${part}]`;
    return key === '' ? String(part) : `${key}.${String(part)}`;
  }, '');
}

/** The value at a path of names, if there is one. */
export function valueAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (inner, key) =>
      typeof inner === 'object' && inner !== null && Object.hasOwn(inner, key)
        ? (inner as Record<string, unknown>)[key]
        : undefined,
    value,
  );
}

/** A value without the members that `keys` name, each by its whole key from `root` on. */
export function withoutKeys(keys: readonly string[], value: unknown, root: string): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !keys.includes(`${root}.${key}`))
      .map(([key, inner]) => [key, withoutKeys(keys, inner, `${root}.${key}`)]),
  );
}
