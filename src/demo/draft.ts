/** An image that somebody chose, dropped or pasted. */
export interface DraftImage {
  readonly name: string;
  /** `data:` URL of the file's own bytes. */
  readonly url: string;
}

/** A piece of a message, in the order in which it was composed. */
export type Part =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "image"; readonly image: DraftImage };

/**
 * A message in the making. Its text may hold markers, `[image 2]`, that say where an image goes;
 * images without a marker go before the text.
 */
export interface Draft {
  readonly text: string;
  readonly images: readonly DraftImage[];
}

/** A draft, and where in its text the caret goes. */
export interface Placed {
  readonly draft: Draft;
  readonly caret: number;
}

export const EMPTY: Draft = { text: "", images: [] };

const MARKER = /\[image[ \u00a0](\d+)\]/g;

/** Its space does not break, so that a marker stays on one line. */
export const marker = (index: number) => `[image\u00a0${index + 1}]`;

/** A run of the draft's text; `image` is its index where the run is a marker. */
export interface Run {
  readonly text: string;
  readonly start: number;
  readonly image?: number;
}

/** The text cut at its markers. A marker with the number of no image is plain text. */
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

/** Images and text as they will be sent. White space beside an image is dropped. */
export function partsOf(draft: Draft): Part[] {
  const placed = placedIn(draft);
  const parts: Part[] = draft.images
    .filter((_, index) => !placed.has(index))
    .map((image) => ({ type: "image", image }));
  for (const run of runsOf(draft)) {
    const image = run.image === undefined ? undefined : draft.images[run.image];
    if (image) parts.push({ type: "image", image });
    else if (run.text.trim()) parts.push({ type: "text", text: run.text.trim() });
  }
  return parts;
}

/**
 * Adds images: before the text when the caret has none before it, else as markers at the caret.
 */
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

/** Puts an image's marker at the caret, away from where it was. */
export function placeImage(draft: Draft, index: number, caret: number): Placed {
  const old = runsOf(draft).filter((run) => run.image === index);
  let text = draft.text;
  for (const { start, text: gone } of old.reverse()) {
    // A marker leaves with the space after it, so that moving one back and forth adds none.
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

/** Takes an image out, with its markers; the ones after it move up a number. */
export function removeImage(draft: Draft, index: number): Draft {
  const text = renumber(draft, (old) => (old === index ? undefined : old > index ? old - 1 : old));
  return { text, images: draft.images.filter((_, i) => i !== index) };
}

/** Moves an image among the others; markers keep pointing at their images. */
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
