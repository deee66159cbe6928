import { describe, expect, test } from "vitest";
import { FAMILIES } from "../../tests/families.ts";
import { checkpointFiles } from "../../tests/processor-goldens.ts";

const FOLDERS = FAMILIES.flatMap(({ processor, folders }) =>
  folders.map((folder) => ({ folder, processor })),
);

describe.each(FOLDERS)("$folder", ({ folder, processor }) => {
  const { "preprocessor_config.json": own, ...files } = checkpointFiles(folder);
  const joined = files["processor_config.json"] as object | undefined;
  const nested = { ...files, "processor_config.json": { ...joined, image_processor: own } };
  const layout = processor({ ...files, "preprocessor_config.json": own }).layout(300, 200, "auto");

  test("finds its settings in processor_config.json alone", () => {
    expect(processor(nested).layout(300, 200, "auto")).toEqual(layout);
  });

  test("settings in processor_config.json win", () => {
    const both = { ...nested, "preprocessor_config.json": { resample: 99 } };
    expect(processor(both).layout(300, 200, "auto")).toEqual(layout);
  });

  test("null in processor_config.json counts as nothing", () => {
    const config = { ...joined, image_processor: null };
    const both = { ...files, "preprocessor_config.json": own, "processor_config.json": config };
    expect(processor(both).layout(300, 200, "auto")).toEqual(layout);
  });

  test("a checkpoint without settings is refused", () => {
    expect(() => processor(files)).toThrow("preprocessor_config.json");
  });
});
