import { expect, test } from "vitest";
import { DEFAULTS, parseSettings } from "./settings.ts";

test("saved settings are restored", () => {
  const saved = {
    maxTokens: 64,
    temperature: 0.7,
    systemPrompt: "Be brief.",
    quantization: "q4",
    theme: "dark",
  } as const;
  expect(parseSettings(JSON.stringify(saved))).toEqual(saved);
});

test.each([null, "", "no json", "null", "7", "[]", '{"maxTokens":0,"temperature":3,"theme":"x"}'])(
  "invalid settings become defaults: %s",
  (json) => expect(parseSettings(json)).toEqual(DEFAULTS),
);
