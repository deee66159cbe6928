import { describe, expect, test } from "vitest";
import { Detokenizer, bytesOfToken } from "./detokenizer.ts";

/** @returns the results of decoding tokens one by one */
function pieces(decoder: ConstructorParameters<typeof Detokenizer>[0], tokens: string[]): string[] {
  const detokenizer = new Detokenizer(decoder, (id) => tokens[id]);
  return [...tokens.map((_, id) => detokenizer.push(id)), detokenizer.end()];
}

const SENTENCEPIECE = {
  type: "Sequence",
  decoders: [
    { type: "Replace", pattern: { String: "▁" }, content: " " },
    { type: "ByteFallback" },
    { type: "Fuse" },
    { type: "Strip", content: " ", start: 1, stop: 0 },
  ],
};

describe("byte-level", () => {
  const decoder = { type: "ByteLevel" };
  test.each([
    ["a character over three tokens", ["ç", "Ĩ", "Ĭ", "!"], ["", "", "熊", "!", ""]],
    ["one that is never finished", ["a", "ç", "Ĩ"], ["a", "", "", ""]],
    ["one after broken ones", ["ç", "Ĭ", "ç", "ç"], ["", "", "\uFFFD", "\uFFFD", ""]],
    ["one that is cut off by text", ["ç", "x"], ["", "\uFFFDx", ""]],
    ["a stray continuation byte", ["Ĭ", "Ċ"], ["\uFFFD", "\n", ""]],
    ["a real U+FFFD", ["ï", "¿½"], ["", "\uFFFD", ""]],
    ["a byte-order mark", ["ï»¿", "a"], ["\uFEFF", "a", ""]],
    ["an added token beyond the alphabet", ["<tool 工具>"], ["<tool 工具>", ""]],
  ])("%s", (_, tokens, expected) => {
    expect(pieces(decoder, tokens)).toEqual(expected);
  });
});

describe("SentencePiece", () => {
  test.each([
    ["word boundaries", ["▁A", "▁red", "▁▁c"], ["A", " red", "  c", ""]],
    ["one leading space alone", ["▁", "▁A"], ["", " A", ""]],
    ["a first token that is only bytes", ["<0x20>", "a"], ["", "a", ""]],
    ["bytes, once they are complete", ["<0xE7>", "<0x86>", "<0x8A>", "x"], ["", "", "", "熊x", ""]],
    ["bytes at the end", ["<0xE7>", "<0x86>", "<0x8A>"], ["", "", "", "熊"]],
    ["a character that is never finished", ["a", "<0xE7>", "<0x86>"], ["a", "", "", ""]],
    ["one behind a whole one", ["<0xC3>", "<0xA9>", "<0xC3>"], ["", "", "", "é"]],
    ["broken bytes at the end", ["<0xC3>", "<0xFF>"], ["", "", "\uFFFD\uFFFD"]],
    ["a broken run, one U+FFFD a byte", ["<0x41>", "<0xFF>", "▁b"], ["", "", "\uFFFD\uFFFD b", ""]],
  ])("%s", (_, tokens, expected) => {
    expect(pieces(SENTENCEPIECE, tokens)).toEqual(expected);
  });

  test("Metaspace, the older form", () => {
    expect(pieces({ type: "Metaspace" }, ["▁A", "▁red"])).toEqual(["A", " red", ""]);
    const never = { type: "Metaspace", prepend_scheme: "never" };
    expect(pieces(never, ["▁A", "▁red"])).toEqual([" A", " red", ""]);
  });
});

describe("bytes of a token", () => {
  const metaspace = { type: "Metaspace" };
  test.each([
    ["a part of a character", { type: "ByteLevel" }, "çĨ", [0xe7, 0x86]],
    ["a space", { type: "ByteLevel" }, "Ġa", [0x20, 0x61]],
    ["an added token", { type: "ByteLevel" }, "<工>", [0x3c, 0xe5, 0xb7, 0xa5, 0x3e]],
    ["a byte", SENTENCEPIECE, "<0xE7>", [0xe7]],
    ["what only looks like a byte", { type: "ByteLevel" }, "<0x41>", [..."<0x41>"].map(code)],
    ["a word boundary, as within a text", SENTENCEPIECE, "▁é", [0x20, 0xc3, 0xa9]],
    ["Metaspace's", metaspace, "▁a", [0x20, 0x61]],
  ])("%s", (_, decoder, token, expected) => {
    expect([...bytesOfToken(decoder, token)]).toEqual(expected);
  });
  function code(character: string): number {
    return character.charCodeAt(0);
  }
});

describe("continuing after a prefix", () => {
  test.each([
    ["a character that they begin", { type: "ByteLevel" }, ["a", "ç", "Ĩ"], ["Ĭ", "!"], "熊!"],
    ["a space, which begins no text", SENTENCEPIECE, ["▁A"], ["▁red"], " red"],
    ["bytes that are not certain yet", SENTENCEPIECE, ["<0xC3>", "<0xA9>"], ["▁b"], " b"],
    ["bytes to the end", SENTENCEPIECE, ["<0xC3>", "<0xA9>"], ["<0xC3>", "<0xA9>"], "é"],
    ["bytes of one character", SENTENCEPIECE, ["x", "<0xC3>"], ["<0xA9>", "b"], "éb"],
    ["nothing", SENTENCEPIECE, ["▁A"], [], ""],
  ])("%s", (_, decoder, before, own, expected) => {
    const tokens = [...before, ...own];
    const ids = before.map((_, id) => id);
    const detokenizer = new Detokenizer(decoder, (id) => tokens[id]);
    detokenizer.continueAfter(ids);
    const text = own.map((_, i) => detokenizer.push(before.length + i)).join("");
    expect(text + detokenizer.end()).toBe(expected);
  });
});

test("ids without a token are left out", () => {
  const detokenizer = new Detokenizer({ type: "ByteLevel" }, (id) => ["ç", undefined, "ĨĬ"][id]);
  expect([0, 1, 2].map((id) => detokenizer.push(id))).toEqual(["", "", "熊"]);
});

test("an unknown step is refused", () => {
  const stripped = { type: "Sequence", decoders: [{ type: "Strip", content: " ", start: 1 }] };
  expect(() => pieces(stripped, [])).toThrow(/unknown decoder step .*Strip/);
});
