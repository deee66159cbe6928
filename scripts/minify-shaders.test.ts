import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { minifyWgsl } from "./minify-shaders.ts";

const ROOT = join(import.meta.dirname, "..");
const shaders = ["shaders", "src"]
  .flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" }).map((path) =>
      join(folder, path),
    ),
  )
  .filter((path) => path.endsWith(".wgsl"));

/** @returns the tokens of a shader; a run of operators counts as one */
const tokens = (code: string): string[] =>
  code.replace(/\/\/.*/g, "").match(/[\w.]+|[-+*/%&|^<>=!~]+|[^\s\w]/g) ?? [];

test.each(shaders)("%s keeps its tokens", (path) => {
  const code = readFileSync(join(ROOT, path), "utf8");
  const minified = minifyWgsl(code);
  expect(tokens(minified)).toEqual(tokens(code));
  expect(minified).not.toMatch(/\/\/|^\s|\s\n/m);
});

test.each([
  ["let x = a - -b; // c", "let x=a- -b;\n"],
  ["  return  -x;\n\n\n}", "return-x;\n}\n"],
  ["var<private> t: array<f32, 4> = u;", "var<private>t:array<f32,4> =u;\n"],
  ["@compute @workgroup_size(64) fn main() {", "@compute@workgroup_size(64)fn main(){\n"],
  ["// Only a comment.", "\n"],
])("%j", (code, expected) => {
  expect(minifyWgsl(code)).toBe(expected);
});

test("a block comment is refused", () => {
  expect(() => minifyWgsl("/* no */")).toThrow("block comment");
});
