import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { EXAMPLES, SAMPLE, nameOf } from "./catalogue.ts";

test.each([
  [SAMPLE, "Sample model"],
  ["HuggingFaceTB/SmolVLM2-256M-Video-Instruct", "SmolVLM2 256M"],
  ["org/My-Model", "My-Model"],
  ["https://host.example/models/tiny/", "tiny"],
])("%s is called %s", (source, name) => {
  expect(nameOf(source)).toBe(name);
});

test.each(EXAMPLES)("$image exists", ({ image }) => {
  expect(existsSync(`public/images/${image}`)).toBe(true);
});
