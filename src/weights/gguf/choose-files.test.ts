import { describe, expect, test } from "vitest";
import { ggufTag, ggufTags, shardsOf, soleGguf } from "../gguf-names.ts";
import { chooseFiles, mmprojGuesses } from "./choose-files.ts";

/** As ggml-org, unsloth, Qwen and others name them. */
const GGML_ORG = [
  "README.md",
  "SmolVLM2-500M-Video-Instruct-Q8_0.gguf",
  "SmolVLM2-500M-Video-Instruct-f16.gguf",
  "mmproj-SmolVLM2-500M-Video-Instruct-Q8_0.gguf",
  "mmproj-SmolVLM2-500M-Video-Instruct-f16.gguf",
];
const UNSLOTH = [
  "BF16/Qwen3-VL-8B-BF16-00001-of-00002.gguf",
  "BF16/Qwen3-VL-8B-BF16-00002-of-00002.gguf",
  "Qwen3-VL-8B-Q4_K_M.gguf",
  "Qwen3-VL-8B-UD-Q4_K_XL.gguf",
  "Qwen3-VL-8B-IQ4_NL.gguf",
  "mmproj-BF16.gguf",
  "mmproj-F32.gguf",
];
const SEVERAL = [
  "A-2B-Q4_K_M.gguf",
  "B-7B-Q4_K_M.gguf",
  "mmproj-A-2B-F16.gguf",
  "mmproj-B-7B-F16.gguf",
];

test.each([
  ["a/Model-Q4_K_M.gguf", "Q4_K_M"],
  ["model.q8_0.gguf", "Q8_0"],
  ["Model-f16.gguf", "F16"],
  ["Model-UD-Q4_K_XL.gguf", "UD-Q4_K_XL"],
  ["Model-IQ4_XS-00001-of-00003.gguf", "IQ4_XS"],
  ["Model-MXFP4_MOE.gguf", "MXFP4_MOE"],
  ["Qwen2.gguf", undefined],
])("the tag of %s is %s", (file, tag) => {
  expect(ggufTag(file)).toBe(tag);
});

describe("chooseFiles", () => {
  test.each([
    ["q8_0", GGML_ORG, [GGML_ORG[1], GGML_ORG[4]]],
    ["F16", GGML_ORG, [GGML_ORG[2], GGML_ORG[4]]],
    ["Q4_K_M", UNSLOTH, [UNSLOTH[2], "mmproj-BF16.gguf"]],
    ["UD-Q4_K_XL", UNSLOTH, [UNSLOTH[3], "mmproj-BF16.gguf"]],
    ["BF16", UNSLOTH, [UNSLOTH[0], UNSLOTH[1], "mmproj-BF16.gguf"]],
  ])("%s", (tag, files, chosen) => {
    expect(chooseFiles("org/m", { tag }, files)).toEqual(chosen);
  });

  test("takes the mmproj file of the same model", () => {
    const file = "B-7B-Q4_K_M.gguf";
    expect(chooseFiles("org/m", { file }, SEVERAL)).toEqual([file, "mmproj-B-7B-F16.gguf"]);
  });

  test.each([
    [{ tag: "Q2_K" }, GGML_ORG, "the tags F16, Q8_0"],
    [{ tag: "Q4_K_M" }, SEVERAL, "several files, name one of them: A-2B-Q4_K_M.gguf, B-7B"],
    [{ file: "c.gguf" }, ["b.gguf"], "it has the files b.gguf"],
    [{ tag: "Q8_0" }, ["m-Q8_0.gguf"], "no mmproj file"],
    [{ tag: "BF16" }, ["m-BF16-00001-of-00002.gguf", "mmproj.gguf"], "lacks m-BF16-00002-of-00002"],
  ])("%o: says what there is", (choice, files, message) => {
    expect(() => chooseFiles("org/m", choice, files)).toThrow(message);
  });
});

test("a folder with one model needs no name of it", () => {
  expect(soleGguf(["m-Q4_0.gguf", "mmproj-F16.gguf"])).toEqual({ file: "m-Q4_0.gguf" });
  expect(soleGguf(UNSLOTH.slice(0, 2))).toEqual({ file: UNSLOTH[0] });
  expect(soleGguf(GGML_ORG)).toBeUndefined();
  expect(soleGguf(["m-Q4_0.gguf", "model.safetensors"])).toBeUndefined();
  expect(soleGguf(["mmproj-F16.gguf"])).toBeUndefined();
});

test("tags and shards", () => {
  expect(ggufTags(UNSLOTH)).toEqual(["BF16", "IQ4_NL", "Q4_K_M", "UD-Q4_K_XL"]);
  expect(shardsOf(UNSLOTH[0]!)).toEqual(UNSLOTH.slice(0, 2));
  expect(shardsOf("m.gguf")).toEqual(["m.gguf"]);
});

test("names of mmproj files that are tried without a list", () => {
  const guesses = mmprojGuesses("a/SmolVLM-Q4_K_M.gguf");
  expect(guesses).toContain("a/mmproj-SmolVLM-F16.gguf");
  expect(guesses).toContain("a/mmproj-model-f16.gguf");
});
