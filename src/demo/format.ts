import type { StreamProgress } from "../index.ts";

const UNITS = ["B", "kB", "MB", "GB"] as const;

/** @returns a number of bytes in decimal units: `13.0 MB` */
export function bytes(count: number): string {
  const power = Math.min(UNITS.length - 1, Math.floor(Math.log10(Math.max(1, count)) / 3));
  const digits = power < 2 ? 0 : 1;
  return `${(count / 1000 ** power).toFixed(digits)} ${UNITS[power]}`;
}

/** @returns a number of bytes with two digits, for estimates: `13 MB`, `4.3 GB` */
export function roughly(count: number): string {
  const power = Math.min(UNITS.length - 1, Math.floor(Math.log10(Math.max(1, count)) / 3));
  const value = Number((count / 1000 ** power).toPrecision(2));
  return `${value < 10 && power > 0 ? value.toFixed(1) : value} ${UNITS[power]}`;
}

/** @returns a duration: `85 ms`, `1.4 s` */
export function duration(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** @returns the time left, roughly, as an estimate deserves */
export function remaining(seconds: number): string {
  if (seconds < 10) return "a few seconds left";
  if (seconds < 90) return `about ${Math.round(seconds / 10) * 10} seconds left`;
  return `about ${Math.round(seconds / 60)} minutes left`;
}

/** @returns why a load is waiting; without a time, for another tab */
export function waiting(seconds: number | undefined): string {
  if (seconds === undefined) return "Another tab is downloading this model…";
  const time =
    seconds < 90 ? plural(Math.ceil(seconds), "second") : `${Math.round(seconds / 60)} minutes`;
  return `The server or the network does not answer. Trying again in ${time}, or as soon as this device is online…`;
}

/** @returns what an answer waits for before its first word */
export function progressText(progress: StreamProgress | undefined): string {
  if (progress?.stage === "queue" && progress.position > 0) {
    return `Waiting for ${plural(progress.position, "other answer")}…`;
  }
  if (progress?.stage === "images" && progress.total > 1) {
    return `Looking at the images: ${progress.encoded} of ${progress.total}…`;
  }
  if (progress?.stage !== "prompt") return "Reading…";
  const { computed_tokens, total_tokens } = progress;
  const share = Math.round((100 * computed_tokens) / total_tokens);
  return share < 100 ? `Reading, ${share} %…` : "Reading…";
}

export function plural(count: number, noun: string): string {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}
