import { signal } from "@preact/signals";
import { createRef } from "preact";
import { answering, ask } from "./chat.ts";
import {
  addPictures,
  type Draft,
  EMPTY,
  movePicture,
  partsOf,
  type Placed,
  placePicture,
  removePicture,
} from "./draft.ts";
import { say } from "./notice.ts";
import { readPicture } from "./pictures.ts";

/** The message that is being written, and the box that it is written in. */
export const draft = signal<Draft>(EMPTY);
export const box = createRef<HTMLTextAreaElement>();

/** Not on touch screens, where focus would pull the keyboard up over the page. */
export function focusBox(): void {
  if (matchMedia("(hover: hover)").matches) box.current?.focus({ preventScroll: true });
}

/** Adds those files that are pictures at the caret, and says which are not. */
export async function addFiles(files: Iterable<File>): Promise<void> {
  const all = [...files];
  const others = all.filter((file) => !file.type.startsWith("image/"));
  if (others.length > 0) say(`${others.map((file) => file.name).join(", ")}: not a picture`);
  try {
    const images = all.filter((file) => !others.includes(file));
    const pictures = await Promise.all(images.map((file) => readPicture(file, file.name)));
    if (pictures.length > 0) put(addPictures(draft.value, pictures, caret()));
  } catch (error) {
    say(String(error));
  }
}

export const place = (index: number) => put(placePicture(draft.value, index, caret()));

export function remove(index: number): void {
  draft.value = removePicture(draft.value, index);
}

export function move(from: number, to: number): void {
  if (to < 0 || to >= draft.value.pictures.length) return;
  draft.value = movePicture(draft.value, from, to);
}

export function submit(): void {
  const parts = partsOf(draft.value);
  if (parts.length === 0 || answering.value) return;
  draft.value = EMPTY;
  void ask(parts);
  focusBox();
}

function caret(): number {
  return box.current?.selectionStart ?? draft.value.text.length;
}

function put(placed: Placed): void {
  draft.value = placed.draft;
  // The box has the new text only after the next render.
  requestAnimationFrame(() => {
    focusBox();
    box.current?.setSelectionRange(placed.caret, placed.caret);
  });
}
