import { expect, test } from "vitest";
import {
  addImages,
  type Draft,
  EMPTY_DRAFT,
  moveImage,
  partsOf,
  placeImage,
  removeImage,
} from "./draft.ts";

const image = (name: string) => ({ name, url: `data:image/png;base64,${name}` });
const [a, b, c] = [image("a"), image("b"), image("c")];

/** Abbreviates parts: text stays text, an image becomes its name in angle brackets. */
const short = (draft: Draft) =>
  partsOf(draft).map((part) => (part.type === "text" ? part.text : `<${part.image.name}>`));

/** The text with plain spaces, as one would type it. */
const typed = (draft: Draft) => draft.text.replaceAll("\u00a0", " ");

test.each<[string, string, string[]]>([
  ["nothing placed", "What is it?", ["<a>", "<b>", "What is it?"]],
  ["no text", " \n", ["<a>", "<b>"]],
  [
    "all placed",
    "Image 1: [image 1] Image 2: [image 2] Same?",
    ["Image 1:", "<a>", "Image 2:", "<b>", "Same?"],
  ],
  ["the other way round", "[image 2] and [image 1]", ["<b>", "and", "<a>"]],
  ["one placed", "Is [image 2] it?", ["<a>", "Is", "<b>", "it?"]],
  ["one twice", "[image 1] [image 1] [image 2]", ["<a>", "<a>", "<b>"]],
  ["no such image", "[image 3]", ["<a>", "<b>", "[image 3]"]],
])("parts keep the composed order: %s", (_, text, expected) => {
  expect(short({ text, images: [a, b] })).toEqual(expected);
});

test("an image added to an empty draft goes before the text that follows", () => {
  const { draft, caret } = addImages(EMPTY_DRAFT, [a], 0);
  expect(draft).toEqual({ text: "", images: [a] });
  expect(caret).toBe(0);
});

test("images added after text get markers at the caret, and the caret moves behind them", () => {
  const { draft, caret } = addImages({ text: "See here", images: [a] }, [b, c], 3);
  expect(typed(draft)).toBe("See [image 2] [image 3] here");
  expect(draft.text.slice(caret)).toBe(" here");
  expect(short(draft)).toEqual(["<a>", "See", "<b>", "<c>", "here"]);
});

test("placing moves an image's marker", () => {
  const draft = { text: "One [image 1] two", images: [a] };
  const placed = placeImage(draft, 0, draft.text.length);
  expect(typed(placed.draft)).toBe("One two [image 1] ");
  expect(placed.caret).toBe(placed.draft.text.length);
  expect(typed(placeImage(placed.draft, 0, 0).draft)).toBe("[image 1] One two ");
});

test("placing an image inside its own marker keeps the draft intact", () => {
  const draft = { text: "One [image 1] two", images: [a] };
  expect(typed(placeImage(draft, 0, 8).draft)).toBe(draft.text);
});

test("removing an image takes its markers and renumbers the rest", () => {
  const draft = { text: "[image 1] then [image 2]", images: [a, b] };
  const left = removeImage(draft, 0);
  expect(typed(left)).toBe(" then [image 1]");
  expect(left.images).toEqual([b]);
});

test.each([
  [0, 2, ["b", "c", "a"], "[image 3][image 1][image 2]"],
  [2, 0, ["c", "a", "b"], "[image 2][image 3][image 1]"],
  [1, 1, ["a", "b", "c"], "[image 1][image 2][image 3]"],
])("moving image %i to %i reorders, and markers follow", (from, to, names, text) => {
  const draft = { text: "[image 1][image 2][image 3]", images: [a, b, c] };
  const moved = moveImage(draft, from, to);
  expect(moved.images.map((p) => p.name)).toEqual(names);
  expect(typed(moved)).toBe(text);
  expect(short(moved)).toEqual(short(draft));
});
