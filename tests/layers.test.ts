import { readFileSync, readdirSync } from "node:fs";
import { dirname, join, sep } from "node:path";
import { expect, test } from "vitest";

/** From the top down; a file may import from lines below its own, and from its own folder. */
const LAYERS = [
  ["demo", "cli"],
  ["index.ts", "service-worker.ts", "ready-service-worker.ts"],
  ["page"],
  ["net"],
  ["worker"],
  ["runtime"],
  ["openai"],
  ["chat"],
  ["engine", "text", "image", "grammar"],
  ["models"],
  ["weights", "ops"],
  ["gpu"],
  ["platform"],
];

const src = join(import.meta.dirname, "..", "src");
const shaders = join("..", "shaders");

const files = readdirSync(src, { recursive: true, encoding: "utf8" }).filter(
  (path) => /\.tsx?$/.test(path) && !/\.test\.tsx?$/.test(path),
);

/** @returns what a file names in `import`, `export … from` and `import()`, relative to `src/` */
function imports(file: string): string[] {
  const code = readFileSync(join(src, file), "utf8");
  const named = code.matchAll(/\b(?:from|import)\s*\(?\s*["'](\.[^"'?]+)/g);
  return [...named].map(([, path]) => join(dirname(file), path as string));
}

const folder = (path: string): string => path.split(sep)[0] as string;
const layer = (path: string): number => LAYERS.findIndex((line) => line.includes(folder(path)));

test("every file in src/ is in a layer", () => {
  expect(files.filter((file) => layer(file) < 0)).toEqual([]);
});

test("imports point downward", () => {
  const all = files.flatMap((file) => imports(file).map((path) => ({ file, path })));
  expect(all).toContainEqual({ file: "index.ts", path: join("page", "load.ts") });
  // What lies outside of src/, tests above all, is in no layer; the shaders are everybody's.
  const upward = all.filter(
    ({ file, path }) =>
      folder(path) !== folder(file) && layer(path) <= layer(file) && !path.startsWith(shaders),
  );
  expect(upward).toEqual([]);
});

test("the demo imports the public API and nothing else of the library", () => {
  const demo = files.filter((file) => folder(file) === "demo");
  const library = demo.flatMap((file) => imports(file)).filter((path) => folder(path) !== "demo");
  expect(new Set(library)).toEqual(new Set(["index.ts"]));
});

test("files form no import loop, types included", () => {
  const finished = new Set<string>();
  const open: string[] = [];
  const loops: string[] = [];
  const visit = (file: string): void => {
    if (finished.has(file)) return;
    if (open.includes(file)) {
      loops.push([...open.slice(open.indexOf(file)), file].join(" -> "));
      return;
    }
    open.push(file);
    for (const path of imports(file)) if (files.includes(path)) visit(path);
    open.pop();
    finished.add(file);
  };
  files.forEach(visit);
  expect(loops).toEqual([]);
});

test("no exported name means two things", () => {
  const owners = new Map<string, string[]>();
  for (const file of files) {
    const code = readFileSync(join(src, file), "utf8");
    const exported = code.matchAll(
      /^export (?:default )?(?:abstract )?(?:async )?(?:function\*?|class|interface|type|const|let) (\w+)/gm,
    );
    // A constant and the type of its values may share a name.
    for (const name of new Set([...exported].map(([, name]) => name as string))) {
      owners.set(name, [...(owners.get(name) ?? []), file]);
    }
  }
  expect(owners.size).toBeGreaterThan(900);
  expect(Object.fromEntries([...owners].filter(([, inFiles]) => inFiles.length > 1))).toEqual({});
});
