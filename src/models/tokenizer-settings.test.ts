import { expect, test } from "vitest";
import { tokenizerSettings } from "./tokenizer-settings.ts";

const map = { eos_token: { content: "<end>", lstrip: false } };

test.each([
  ["early files: special_tokens_map.json counts", { bos_token: "<s>", eos_token: "</s>" }, map],
  [
    "later files: it repeats what tokenizer_config.json says",
    { eos_token: "</s>", added_tokens_decoder: {} },
    {},
  ],
])("%s", (_, settings, counted) => {
  const files = { "tokenizer_config.json": settings, "special_tokens_map.json": map };
  expect(tokenizerSettings(files)).toEqual({ ...settings, ...counted });
});
