import type { ErrorBody } from '../errors.js';
import { isObject, type Json, type JsonObject, member, printJson } from './json.js';
import type { Action } from './messages.js';

/** A frame that is JSON but not a message: a member is missing or of the wrong type. */
export class Malformed extends Error {}

/** The members of a frame, by the types the protocol gives them. Null and absent are the same but in `value`. */
export class Members {
  constructor(private readonly frame: JsonObject) {}

  value(name: string): Json | undefined {
    return member(this.frame, name);
  }

  json(name: string): Json | undefined {
    return this.value(name) ?? undefined;
  }

  optional(name: string): string | undefined {
    const value = this.json(name);
    if (value !== undefined && typeof value !== 'string') throw new Malformed(`\`${name}\` is not a string`);
    return value;
  }

  string(name: string): string {
    const value = this.optional(name);
    if (value === undefined) throw new Malformed(`missing field \`${name}\``);
    return value;
  }

  object(name: string): JsonObject | undefined {
    const value = this.json(name);
    if (value !== undefined && !isObject(value)) throw new Malformed(`\`${name}\` is not an object`);
    return value;
  }

  action(): Action | undefined {
    const action = this.object('action');
    if (!action) return undefined;
    const inner = new Members(action);
    const type = inner.string('type');
    if (type === 'void') return { type };
    if (type === 'enqueue') return { type, queue: inner.string('queue') };
    throw new Malformed(`unknown variant \`${type}\`, expected \`void\` or \`enqueue\``);
  }

  /** An error wins over a result if it is truthy; one that is no ErrorBody still is an error. */
  error(): ErrorBody | undefined {
    const error = this.json('error');
    if (!error) return undefined;
    if (!isObject(error)) return { code: 'UNKNOWN', message: printJson(error) };
    const text = (name: string) => {
      const value = member(error, name);
      return typeof value === 'string' ? value : undefined;
    };
    return {
      code: text('code') ?? 'UNKNOWN',
      message: text('message') ?? printJson(error),
      ...present('stacktrace', text('stacktrace')),
    };
  }
}

/** An optional member, left out of the object when there is no value. */
export function present<K extends string, V>(name: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [name]: value } as { [P in K]?: V });
}
