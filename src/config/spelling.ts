/** The file's names are `snake_case`, as the engine's; in the program they are `camelCase`. */

type CamelKey<K extends string> = K extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<CamelKey<Tail>>}`
  : K;

/** A value with its keys in camelCase, and nothing in it to be changed. Records keep their keys. */
export type Camel<T> = T extends readonly unknown[]
  ? { readonly [I in keyof T]: Camel<T[I]> }
  : T extends object
    ? string extends keyof T
      ? Readonly<T>
      : { readonly [K in keyof T as K extends string ? CamelKey<K> : never]: Camel<T[K]> }
    : T;

/** Options whose keys are not ours to spell. */
const recordOptions = new Set(['headers']);

/** The options as the program names them. */
export function toCamel<T>(options: T): Camel<T> {
  const camel = (key: string) => key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return renameKeys(options, camel) as Camel<T>;
}

/** The options as the file names them. */
export function toSnake(options: unknown): unknown {
  return renameKeys(options, (key) => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`));
}

function renameKeys(value: unknown, rename: (key: string) => string): unknown {
  if (Array.isArray(value)) return value.map((item) => renameKeys(item, rename));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      rename(key),
      recordOptions.has(key) ? inner : renameKeys(inner, rename),
    ]),
  );
}
