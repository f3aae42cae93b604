import { z } from 'zod';

/** The names of the options that a schema knows at a path; none where it holds no options. */
export function optionsAt(schema: z.core.$ZodType, path: readonly PropertyKey[] = []): string[] {
  const here = unwrap(schema);
  if (here instanceof z.ZodUnion) return here.options.flatMap((option) => optionsAt(option, path));
  const [part, ...rest] = path;
  if (here instanceof z.ZodArray) return part === undefined ? [] : optionsAt(here.element, rest);
  if (!(here instanceof z.ZodObject)) return [];
  if (part === undefined) return Object.keys(here.shape);
  const inner: z.core.$ZodType | undefined = here.shape[String(part)];
  return inner === undefined ? [] : optionsAt(inner, rest);
}

/** The schema under its defaults, options and transformations. */
function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) return unwrap(schema.def.innerType);
  if (schema instanceof z.ZodOptional) return unwrap(schema.def.innerType);
  return schema instanceof z.ZodPipe ? unwrap(schema.def.in) : schema;
}
