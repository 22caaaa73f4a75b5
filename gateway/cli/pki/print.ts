/** What `hes pki` prints: JSON for programs, or lines for people. */

export const printJson = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value)}\n`);
export const print = (text: string): void => void process.stdout.write(`${text}\n`);
export const day = (iso: string): string => iso.slice(0, 10);

/** Columns as wide as they need to be, two spaces apart. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
