import { GatewayError } from '../errors.js';

/** Where something was written: in the file, on the command line or in the environment. */
export interface Place {
  /** `<file>:<line>:<column>`, `--port` or `REMOTE_III_URL`. */
  readonly label: string;
  /** Places in the file come in its order, others after them. */
  readonly order: number;
}

interface Line {
  readonly order: number;
  readonly line: string;
}

/** Collects every mistake and remark, so that a person sees all of them at once. */
export class Report {
  readonly #notes: Line[] = [];
  readonly #faults: Line[] = [];

  get notes(): string[] {
    return inOrder(this.#notes);
  }

  get refused(): boolean {
    return this.#faults.length > 0;
  }

  fault(place: Place, key: string, sentence: string): void {
    this.#faults.push({ order: place.order, line: lineOf(place, key, sentence) });
  }

  note(place: Place, key: string, sentence: string): void {
    this.#notes.push({ order: place.order, line: lineOf(place, key, sentence) });
  }

  throwIfRefused(): void {
    if (!this.refused) return;
    throw new GatewayError('GATEWAY_CONFIG', inOrder(this.#faults).join('\n'));
  }
}

/** A place outside the file. */
export function placeOutside(label: string): Place {
  return { label, order: Number.POSITIVE_INFINITY };
}

function inOrder(lines: readonly Line[]): string[] {
  return lines.toSorted((a, b) => a.order - b.order).map(({ line }) => line);
}

function lineOf({ label }: Place, key: string, sentence: string): string {
  return [label, key, sentence].filter((part) => part !== '').join(': ');
}
