import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { FAMILIES as TESTED, FOLDERS } from "../../tests/families.ts";
import { checkpointFiles } from "../../tests/processor-goldens.ts";
import { FAMILIES, createModel, familyOf } from "./registry.ts";

test("a model_type belongs to one family", () => {
  const all = FAMILIES.flatMap(({ modelTypes }) => modelTypes);
  expect(new Set(all).size).toBe(all.length);
});

test.each(FAMILIES)("$name is in the README, and has golden folders", (family) => {
  expect(readFileSync("README.md", "utf8")).toContain(`${family.name}`);
  const tested = FOLDERS.map((folder) => familyOf(checkpointFiles(folder)));
  expect(tested).toContain(family);
});

test.each(TESTED)("the table of families is right about $modelType", ({ modelType, ...row }) => {
  for (const folder of [...row.folders, ...(row.variants ?? [])]) {
    expect(checkpointFiles(folder)).toMatchObject({ "config.json": { model_type: modelType } });
  }
  for (const { make, cut } of row.shapes ?? []) {
    expect(make(cut).files).toMatchObject({ "config.json": { model_type: modelType } });
  }
});

test("InternVL's own layout is refused with advice", () => {
  const files = { "config.json": { model_type: "internvl_chat" } };
  expect(() => createModel(files)).toThrow('load the repository whose name ends in "-hf"');
});

test.each([["bert"], [undefined], [7]])("model_type %j is refused by name", (model_type) => {
  const message = `model_type is ${JSON.stringify(model_type)}, supported: smolvlm, idefics3, qwen2_vl`;
  expect(() => createModel({ "config.json": { model_type } })).toThrow(message);
});
