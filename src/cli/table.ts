/** Rows under their heads, in columns as wide as their widest cell. */
export function table(heads: readonly string[], rows: readonly string[][]): string {
  const widths = heads.map((head, column) =>
    rows.reduce((width, row) => Math.max(width, row[column]?.length ?? 0), head.length),
  );
  const line = (cells: readonly string[]) =>
    `${cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd()}\n`;
  return [heads, ...rows].map(line).join('');
}

/** Names and what they stand for, one a line. */
export function details(rows: readonly (readonly [label: string, text: string])[]): string {
  return rows.map(([label, text]) => `${label.padEnd(10)}${text}\n`).join('');
}
