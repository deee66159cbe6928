/** Aligns columns: the first to the left, the others to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  return rows
    .map((row) => {
      const cells = row.map((cell, i) => {
        const width = widths[i] as number;
        return i === 0 ? cell.padEnd(width) : cell.padStart(width);
      });
      return `  ${cells.join("  ")}`.trimEnd();
    })
    .join("\n");
}
