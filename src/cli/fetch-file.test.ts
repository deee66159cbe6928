import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fetchFile } from "./fetch-file.ts";

let folder: string;
let url: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "webvlm files-"));
  await writeFile(join(folder, "ten"), "0123456789");
  await writeFile(join(folder, "empty"), "");
  url = pathToFileURL(join(folder, "ten")).href;
});
afterAll(() => rm(folder, { recursive: true }));

test.each([
  [undefined, 200, "0123456789"],
  ["bytes=0-3", 206, "0123"],
  ["bytes=4-7", 206, "4567"],
  ["bytes=8-100", 206, "89"],
  ["bytes=10-12", 416, ""],
])("range %s", async (range, status, text) => {
  const response = await fetchFile(url, { headers: range ? { range } : {} });
  expect(response.status).toBe(status);
  expect(await response.text()).toBe(text);
  expect(response.headers.get("content-range")).toMatch(/\/10$/);
  expect(response.headers.get("etag")).toMatch(/^"10-/);
});

test("an empty file", async () => {
  const response = await fetchFile(pathToFileURL(join(folder, "empty")));
  expect([response.status, await response.text()]).toEqual([200, ""]);
});

test.each(["nothing", "ten/more", "."])("%s is a 404", async (name) => {
  expect((await fetchFile(new URL(name, url))).status).toBe(404);
});

test("the tag changes with the file", async () => {
  const tag = async () => (await fetchFile(url)).headers.get("etag");
  const before = await tag();
  await writeFile(join(folder, "ten"), "0123456789A");
  expect(await tag()).not.toBe(before);
});
