import type { OnProgress } from "../weights/progress.ts";
import type { OnDownload } from "./hub-cache.ts";

/** Shows progress on standard error, so that an answer on standard output can be piped. */
export interface Terminal {
  /** Prints a line. */
  note(text: string): void;
  readonly onDownload: OnDownload;
  readonly onProgress: OnProgress;
}

/** Progress between two lines of a log, in percent. */
const LOG_STEP = 10;

/** Shows progress in one changing line on a terminal, or in a few lines of a log. */
export function openTerminal(stream: NodeJS.WriteStream = process.stderr): Terminal {
  const step = stream.isTTY ? 1 : LOG_STEP;
  const shown = { label: "", percent: 0 };
  /** Whether the last line can still change. */
  let open = false;

  const clear = (): void => {
    if (open) stream.write("\r\x1b[K");
    open = false;
  };
  const show = (label: string, done: number, total: number): void => {
    const percent = total > 0 ? Math.floor((100 * done) / total) : 100;
    const wait = percent < 100 ? step : 1;
    if (label === shown.label && percent < shown.percent + wait) return;
    Object.assign(shown, { label, percent });
    clear();
    open = stream.isTTY && percent < 100;
    stream.write(`${label}: ${percent}% of ${bytesText(total)}${open ? "" : "\n"}`);
  };

  return {
    note(text) {
      clear();
      stream.write(`${text}\n`);
    },
    onDownload: (done, total) => show("downloading", done, total),
    onProgress({ stage, loadedBytes, totalBytes }) {
      if (stage === "weights") show("loading", loadedBytes, totalBytes);
    },
  };
}

const UNITS = ["B", "KB", "MB", "GB", "TB"];

/** @returns a number of bytes in decimal units: "13.0 MB" */
export function bytesText(bytes: number): string {
  const power = bytes < 1000 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), UNITS.length - 1);
  const value = bytes / 1000 ** power;
  return `${power === 0 ? value : value.toFixed(value < 100 ? 1 : 0)} ${UNITS[power]}`;
}
