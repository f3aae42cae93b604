import type { Spread } from './spread.js';

export interface Target {
  readonly bound: 'at least' | 'at most';
  readonly value: number;
  /** What would be better still. */
  readonly stretch?: number;
}

export type Unit = 'ratio' | 'op/s' | 'ms' | 'us' | 'KiB' | 'MiB' | 'calls';

export interface Row {
  readonly measured: string;
  readonly unit: Unit;
  readonly spread: Spread;
  readonly target?: Target;
}

export interface Report {
  readonly rows: readonly Row[];
  /** Lines below the table. */
  readonly notes?: readonly string[];
}

export function atLeast(value: number, stretch?: number): Target {
  return { bound: 'at least', value, ...(stretch === undefined ? {} : { stretch }) };
}

export function atMost(value: number, stretch?: number): Target {
  return { bound: 'at most', value, ...(stretch === undefined ? {} : { stretch }) };
}

export function renderReport({ rows, notes = [] }: Report): string {
  const table = renderTable([
    ['measured', 'unit', 'min', 'median', 'max', 'target', 'reached'],
    ...rows.map(({ measured, unit, spread, target }) => [
      measured,
      unit,
      figure(spread.min, unit),
      figure(spread.median, unit),
      figure(spread.max, unit),
      target ? targetText(target) : '',
      target ? verdict(spread.median, target) : '',
    ]),
  ]);
  return [table, ...notes.map((note) => `note: ${note}`)].join('\n');
}

const DIGITS: Readonly<Record<Unit, number>> = {
  ratio: 2,
  'op/s': 0,
  ms: 3,
  us: 1,
  KiB: 1,
  MiB: 1,
  calls: 0,
};

function figure(value: number, unit: Unit): string {
  const digits = { minimumFractionDigits: DIGITS[unit], maximumFractionDigits: DIGITS[unit] };
  return value.toLocaleString('en', digits).replaceAll(',', ' ');
}

function targetText({ bound, value, stretch }: Target): string {
  const sign = bound === 'at least' ? '>=' : '<=';
  return `${sign} ${value}${stretch === undefined ? '' : ` (${stretch})`}`;
}

function verdict(median: number, { bound, value, stretch }: Target): string {
  const reaches = (limit: number) => (bound === 'at least' ? median >= limit : median <= limit);
  if (!reaches(value)) return 'NO';
  return stretch !== undefined && reaches(stretch) ? 'yes, and stretch' : 'yes';
}

const LEFT_ALIGNED = new Set([0, 1, 5, 6]);

function renderTable(lines: readonly (readonly string[])[]): string {
  const widths =
    lines[0]?.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0))) ?? [];
  const pad = (cell: string, column: number) =>
    LEFT_ALIGNED.has(column) ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0);
  const text = lines.map((line) => line.map(pad).join('  ').trimEnd());
  return [text[0], '-'.repeat(Math.max(...text.map((line) => line.length))), ...text.slice(1)].join('\n');
}
