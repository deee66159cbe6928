import { signal } from "@preact/signals";
import { createRef } from "preact";
import { answering, askQuestion } from "./chat.ts";
import {
  addImages,
  type Draft,
  EMPTY_DRAFT,
  moveImage,
  partsOf,
  type Placed,
  placeImage,
  removeImage,
} from "./draft.ts";
import { readImage } from "./images.ts";
import { say } from "./notice.ts";

/** The message that the user is writing, and its text box. */
export const draft = signal<Draft>(EMPTY_DRAFT);
export const box = createRef<HTMLTextAreaElement>();

/** Focuses the text box; not on touch screens, where the keyboard would cover the page. */
export function focusBox(): void {
  if (matchMedia("(hover: hover)").matches) box.current?.focus({ preventScroll: true });
}

/** Adds the images among some files at the caret, and says which files are not images. */
export async function addFiles(added: Iterable<File>): Promise<void> {
  const all = [...added];
  const others = all.filter((file) => !file.type.startsWith("image/"));
  if (others.length > 0) say(`${others.map((file) => file.name).join(", ")}: not an image`);
  try {
    const files = all.filter((file) => !others.includes(file));
    const images = await Promise.all(files.map((file) => readImage(file, file.name)));
    if (images.length > 0) put(addImages(draft.value, images, caret()));
  } catch (error) {
    say(String(error));
  }
}

/** Puts the marker of an image at the caret. */
export const placeAtCaret = (index: number) => put(placeImage(draft.value, index, caret()));

export function remove(index: number): void {
  draft.value = removeImage(draft.value, index);
}

export function move(from: number, to: number): void {
  if (to < 0 || to >= draft.value.images.length) return;
  draft.value = moveImage(draft.value, from, to);
}

export function submit(): void {
  const parts = partsOf(draft.value);
  if (parts.length === 0 || answering.value) return;
  draft.value = EMPTY_DRAFT;
  void askQuestion(parts);
  focusBox();
}

function caret(): number {
  return box.current?.selectionStart ?? draft.value.text.length;
}

function put(placed: Placed): void {
  draft.value = placed.draft;
  // The box gets its new text in the next render.
  requestAnimationFrame(() => {
    focusBox();
    box.current?.setSelectionRange(placed.caret, placed.caret);
  });
}
