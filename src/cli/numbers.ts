import { InvalidArgumentError } from 'commander';

/** Reads a whole number of a command line, within bounds. */
export function whole(min: number, max = Number.MAX_SAFE_INTEGER): (typed: string) => number {
  return (typed) => {
    const value = /^\d{1,16}$/.test(typed) ? Number(typed) : -1;
    if (value >= min && value <= max) return value;
    const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
    throw new InvalidArgumentError(`It must be a whole number ${range}.`);
  };
}
