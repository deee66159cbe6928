import type { OnProgress, Progress } from "../weights/progress.ts";

/** Shows progress on standard error, so that an answer on standard output can be piped. */
export interface Terminal {
  /** Prints a line. */
  note(text: string): void;
  /** Of a download into the Python client's cache. */
  readonly onDownload: OnProgress;
  readonly onProgress: OnProgress;
  /** Of files that are written. */
  readonly onWrite: OnProgress;
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
  const print = (text: string, changes: boolean): void => {
    clear();
    open = stream.isTTY && changes;
    stream.write(`${text}${open ? "" : "\n"}`);
  };
  const show = (label: string, progress: Progress): void => {
    const { stage, loadedBytes, totalBytes, waitSeconds } = progress;
    if (stage === "waiting") return print(waitText(waitSeconds), true);
    const percent = totalBytes > 0 ? Math.floor((100 * loadedBytes) / totalBytes) : 100;
    const wait = percent < 100 ? step : 1;
    if (label === shown.label && percent < shown.percent + wait) return;
    Object.assign(shown, { label, percent });
    const rate = percent < 100 ? rateText(progress) : "";
    print(`${label}: ${percent}% of ${bytesText(totalBytes)}${rate}`, percent < 100);
  };

  return {
    note(text) {
      clear();
      stream.write(`${text}\n`);
    },
    onDownload: (progress) => show("downloading", progress),
    onWrite: (progress) => show("writing", progress),
    onProgress(progress) {
      if (progress.auto) print(`auto: ${progress.auto}`, false);
      const { stage, storedAs } = progress;
      const label = storedAs ? `downloading again, stored as ${storedAs.join(", ")}` : "loading";
      if (["weights", "waiting"].includes(stage)) show(label, progress);
    },
  };
}

function waitText(seconds: number | undefined): string {
  return seconds === undefined
    ? "waiting for another process that downloads the same file"
    : `waiting ${Math.ceil(seconds)} s: the server or the network does not answer`;
}

/** @returns ", 12.3 MB/s, 40 s left"; "" while that is unknown */
function rateText({ bytesPerSecond, secondsLeft }: Progress): string {
  if (!bytesPerSecond || secondsLeft === undefined) return "";
  const left =
    secondsLeft < 90 ? `${Math.ceil(secondsLeft)} s` : `${Math.round(secondsLeft / 60)} min`;
  return `, ${bytesText(bytesPerSecond)}/s, ${left} left`;
}

const UNITS = ["B", "KB", "MB", "GB", "TB"];

/** @returns a number of bytes in decimal units: "13.0 MB" */
export function bytesText(bytes: number): string {
  const power = bytes < 1000 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), UNITS.length - 1);
  const value = bytes / 1000 ** power;
  return `${power === 0 ? value : value.toFixed(value < 100 ? 1 : 0)} ${UNITS[power]}`;
}
