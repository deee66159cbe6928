import { expect, test } from "vitest";
import { loadShaders } from "./load-shaders.ts";

test.each(["software", "hardware"] as const)("shaders for %s can be posted", async (kind) => {
  const shaders = await loadShaders(kind);
  expect(structuredClone(shaders)).toEqual(shaders);
  // Node clones a module, but browsers refuse it.
  expect(Object.getPrototypeOf(shaders)).toBe(Object.prototype);
});
