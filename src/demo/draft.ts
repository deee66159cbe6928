/** An image that the user chose, dropped or pasted. */
export interface DraftImage {
  readonly name: string;
  /** `data:` URL of the unchanged file. */
  readonly url: string;
}

/** A part of a message. The user decides the order of the parts. */
export type DraftPart =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "image"; readonly image: DraftImage };

/**
 * A message that is being written. A marker in its text, such as `[image 2]`, says where an image
 * goes. Images without a marker go before the text.
 */
export interface Draft {
  readonly text: string;
  readonly images: readonly DraftImage[];
}

/** A draft, and the position of the caret in its text. */
export interface Placed {
  readonly draft: Draft;
  readonly caret: number;
}

export const EMPTY_DRAFT: Draft = { text: "", images: [] };

const MARKER = /\[image[ \u00a0](\d+)\]/g;

/** The marker of an image. Its no-break space keeps it on one line. */
const marker = (index: number) => `[image\u00a0${index + 1}]`;

/** A piece of the draft's text: plain text, or one marker. */
export interface Run {
  readonly text: string;
  /** Position in the draft's text. */
  readonly start: number;
  /** Index of the image that a marker names. */
  readonly image?: number;
}

/** Splits the text at its markers. A marker that names no image is plain text. */
export function runsOf({ text, images }: Draft): Run[] {
  const runs: Run[] = [];
  let start = 0;
  for (const match of text.matchAll(MARKER)) {
    const image = Number(match[1]) - 1;
    if (!images[image]) continue;
    if (match.index > start) runs.push({ text: text.slice(start, match.index), start });
    runs.push({ text: match[0], start: match.index, image });
    start = match.index + match[0].length;
  }
  if (start < text.length) runs.push({ text: text.slice(start), start });
  return runs;
}

/** The indices of the images that the text names. */
export function placedIn(draft: Draft): Set<number> {
  return new Set(runsOf(draft).flatMap((run) => run.image ?? []));
}

/** @returns images and text in the order they are sent, without white space next to images */
export function partsOf(draft: Draft): DraftPart[] {
  const placed = placedIn(draft);
  const parts: DraftPart[] = draft.images
    .filter((_, index) => !placed.has(index))
    .map((image) => ({ type: "image", image }));
  for (const run of runsOf(draft)) {
    const image = run.image === undefined ? undefined : draft.images[run.image];
    if (image) parts.push({ type: "image", image });
    else if (run.text.trim()) parts.push({ type: "text", text: run.text.trim() });
  }
  return parts;
}

/** Adds images at the caret. With no text before the caret, they go before the text, unmarked. */
export function addImages(draft: Draft, added: readonly DraftImage[], caret: number): Placed {
  const first = draft.images.length;
  const grown = { ...draft, images: [...draft.images, ...added] };
  if (!draft.text.slice(0, caret).trim()) return { draft: grown, caret };
  return insertMarkers(
    grown,
    added.map((_, i) => first + i),
    caret,
  );
}

/** Moves the marker of an image to the caret. */
export function placeImage(draft: Draft, index: number, caret: number): Placed {
  const old = runsOf(draft).filter((run) => run.image === index);
  let text = draft.text;
  for (const { start, text: gone } of old.reverse()) {
    // The space after a marker is removed with it. Otherwise moves would collect spaces.
    const end = start + gone.length + (text[start + gone.length] === " " ? 1 : 0);
    text = text.slice(0, start) + text.slice(end);
    if (caret > start) caret = Math.max(start, caret - (end - start));
  }
  return insertMarkers({ ...draft, text }, [index], caret);
}

function insertMarkers(draft: Draft, indices: readonly number[], caret: number): Placed {
  const before = draft.text.slice(0, caret);
  const after = draft.text.slice(caret);
  const space = /\S$/.test(before) ? " " : "";
  const inserted = `${space}${indices.map(marker).join(" ")}${after.startsWith(" ") ? "" : " "}`;
  return {
    draft: { ...draft, text: before + inserted + after },
    caret: caret + inserted.length,
  };
}

/** Removes an image and its markers. Later images move up by one number. */
export function removeImage(draft: Draft, index: number): Draft {
  const text = renumber(draft, (old) => (old === index ? undefined : old > index ? old - 1 : old));
  return { text, images: draft.images.filter((_, i) => i !== index) };
}

/** Moves an image to another position. Markers keep naming the same images. */
export function moveImage(draft: Draft, from: number, to: number): Draft {
  const order = draft.images.map((_, i) => i);
  order.splice(to, 0, ...order.splice(from, 1));
  return {
    text: renumber(draft, (old) => order.indexOf(old)),
    images: order.flatMap((i) => draft.images[i] ?? []),
  };
}

function renumber(draft: Draft, numbered: (old: number) => number | undefined): string {
  const texts = runsOf(draft).map(({ text, image }) => {
    if (image === undefined) return text;
    const index = numbered(image);
    return index === undefined ? "" : marker(index);
  });
  return texts.join("");
}
