import { expect, test } from "vitest";
import {
  addPictures,
  type Draft,
  EMPTY,
  movePicture,
  partsOf,
  placePicture,
  removePicture,
} from "./draft.ts";

const picture = (name: string) => ({ name, url: `data:image/png;base64,${name}` });
const [a, b, c] = [picture("a"), picture("b"), picture("c")];

/** Parts in short: text as it is, a picture by its name in angle brackets. */
const short = (draft: Draft) =>
  partsOf(draft).map((part) => (part.type === "text" ? part.text : `<${part.picture.name}>`));

/** The text with plain spaces, as one would type it. */
const typed = (draft: Draft) => draft.text.replaceAll("\u00a0", " ");

test.each<[string, string, string[]]>([
  ["nothing placed", "What is it?", ["<a>", "<b>", "What is it?"]],
  ["no text", " \n", ["<a>", "<b>"]],
  [
    "all placed",
    "Image 1: [picture 1] Image 2: [picture 2] Same?",
    ["Image 1:", "<a>", "Image 2:", "<b>", "Same?"],
  ],
  ["the other way round", "[picture 2] and [picture 1]", ["<b>", "and", "<a>"]],
  ["one placed", "Is [picture 2] it?", ["<a>", "Is", "<b>", "it?"]],
  ["one twice", "[picture 1] [picture 1] [picture 2]", ["<a>", "<a>", "<b>"]],
  ["no such picture", "[picture 3]", ["<a>", "<b>", "[picture 3]"]],
])("parts keep the composed order: %s", (_, text, expected) => {
  expect(short({ text, pictures: [a, b] })).toEqual(expected);
});

test("a picture added to an empty draft goes before the text that follows", () => {
  const { draft, caret } = addPictures(EMPTY, [a], 0);
  expect(draft).toEqual({ text: "", pictures: [a] });
  expect(caret).toBe(0);
});

test("pictures added after text are marked at the caret, which moves behind them", () => {
  const { draft, caret } = addPictures({ text: "See here", pictures: [a] }, [b, c], 3);
  expect(typed(draft)).toBe("See [picture 2] [picture 3] here");
  expect(draft.text.slice(caret)).toBe(" here");
  expect(short(draft)).toEqual(["<a>", "See", "<b>", "<c>", "here"]);
});

test("placing moves a picture's marker", () => {
  const draft = { text: "One [picture 1] two", pictures: [a] };
  const placed = placePicture(draft, 0, draft.text.length);
  expect(typed(placed.draft)).toBe("One two [picture 1] ");
  expect(placed.caret).toBe(placed.draft.text.length);
  expect(typed(placePicture(placed.draft, 0, 0).draft)).toBe("[picture 1] One two ");
});

test("placing inside its own marker leaves the draft whole", () => {
  const draft = { text: "One [picture 1] two", pictures: [a] };
  expect(typed(placePicture(draft, 0, 8).draft)).toBe(draft.text);
});

test("removing a picture takes its markers and renumbers the rest", () => {
  const draft = { text: "[picture 1] then [picture 2]", pictures: [a, b] };
  const left = removePicture(draft, 0);
  expect(typed(left)).toBe(" then [picture 1]");
  expect(left.pictures).toEqual([b]);
});

test.each([
  [0, 2, ["b", "c", "a"], "[picture 3][picture 1][picture 2]"],
  [2, 0, ["c", "a", "b"], "[picture 2][picture 3][picture 1]"],
  [1, 1, ["a", "b", "c"], "[picture 1][picture 2][picture 3]"],
])("moving picture %i to %i reorders, and markers follow", (from, to, names, text) => {
  const draft = { text: "[picture 1][picture 2][picture 3]", pictures: [a, b, c] };
  const moved = movePicture(draft, from, to);
  expect(moved.pictures.map((p) => p.name)).toEqual(names);
  expect(typed(moved)).toBe(text);
  expect(short(moved)).toEqual(short(draft));
});
