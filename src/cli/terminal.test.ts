import { expect, test } from "vitest";
import type { Progress } from "../weights/progress.ts";
import { openTerminal } from "./terminal.ts";

const progress = (more: Partial<Progress>): Progress => {
  return { stage: "weights", loadedBytes: 0, totalBytes: 4e9, networkBytes: 0, ...more };
};

/** @returns what is written while a model is downloaded and loaded */
function written(isTTY: boolean): string {
  let text = "";
  const write = (part: string) => (text += part);
  const terminal = openTerminal({ isTTY, write } as unknown as NodeJS.WriteStream);
  const fast = { bytesPerSecond: 20e6 };
  terminal.onProgress(progress({ stage: "files" }));
  terminal.onDownload(progress({}));
  terminal.onDownload(progress({ loadedBytes: 5e7, ...fast, secondsLeft: 197 }));
  terminal.onDownload(progress({ stage: "waiting", waitSeconds: 299.5 }));
  terminal.onDownload(progress({ loadedBytes: 2.8e9, ...fast, secondsLeft: 60 }));
  terminal.onProgress(progress({ stage: "waiting" }));
  terminal.onProgress(progress({ stage: "files", auto: "q8 takes …" }));
  terminal.onProgress(progress({ loadedBytes: 4e9, ...fast, secondsLeft: 0 }));
  terminal.note("GPU: x");
  return text;
}

test("a log has a line per tenth, and one for each wait", () => {
  expect(written(false).split("\n")).toEqual([
    "downloading: 0% of 4.0 GB",
    "waiting 300 s: the server or the network does not answer",
    "downloading: 70% of 4.0 GB, 20.0 MB/s, 60 s left",
    "waiting for another process that downloads the same file",
    "auto: q8 takes …",
    "loading: 100% of 4.0 GB",
    "GPU: x",
    "",
  ]);
});

test("a terminal has one line that changes", () => {
  expect(written(true).split("\r\x1b[K")).toEqual([
    "downloading: 0% of 4.0 GB",
    "downloading: 1% of 4.0 GB, 20.0 MB/s, 3 min left",
    "waiting 300 s: the server or the network does not answer",
    "downloading: 70% of 4.0 GB, 20.0 MB/s, 60 s left",
    "waiting for another process that downloads the same file",
    "auto: q8 takes …\nloading: 100% of 4.0 GB\nGPU: x\n",
  ]);
});
