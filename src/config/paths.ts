/** Path of an option: keys and list indexes from the top of the file. */
export type Path = readonly PropertyKey[];

/** A path as people write it: `iii-state-gateway.scopes[0].match`. */
export function keyOf(path: Path): string {
  return path.reduce<string>((key, part) => {
    if (typeof part === 'number') return `${key}[${part}]`;
    return key === '' ? String(part) : `${key}.${String(part)}`;
  }, '');
}

/** A path as tables of options write it: `iii-state-gateway.scopes[].match`, whichever entry of the list it is. */
export function patternOf(path: Path): string {
  return keyOf(path).replace(/\[\d+\]/g, '[]');
}

/** Every path below `root` in a value that a pattern fits, whether or not there is something at its end. */
export function pathsOf(pattern: string, value: unknown, root: string): Path[] {
  const [first, ...names] = pattern.split(/\.|(?=\[\])/);
  if (first !== root) return [];
  return names.reduce<Path[]>(
    (paths, name) =>
      paths.flatMap((path) => {
        if (name !== '[]') return [[...path, name]];
        const list = valueAt(value, path);
        return Array.isArray(list) ? list.map((_, index) => [...path, index]) : [];
      }),
    [[]],
  );
}

/** The value at a path, if there is one. */
export function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (inner, key) =>
      typeof inner === 'object' && inner !== null && Object.hasOwn(inner, key)
        ? (inner as Record<PropertyKey, unknown>)[key]
        : undefined,
    value,
  );
}

/** A value without the members that `keys` name, each by its whole pattern from `root` on. */
export function withoutKeys(keys: readonly string[], value: unknown, root: string): unknown {
  if (Array.isArray(value)) return value.map((inner) => withoutKeys(keys, inner, `${root}[]`));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !keys.includes(`${root}.${key}`))
      .map(([key, inner]) => [key, withoutKeys(keys, inner, `${root}.${key}`)]),
  );
}
