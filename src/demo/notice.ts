import { signal } from "@preact/signals";

/** A short remark that disappears after a few seconds. */
export const notice = signal("");

const SHOWN_MS = 5000;
let timer: ReturnType<typeof setTimeout> | undefined;

export function say(text: string): void {
  clearTimeout(timer);
  notice.value = text;
  timer = setTimeout(() => (notice.value = ""), SHOWN_MS);
}
