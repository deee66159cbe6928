import { readFileSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseHeader } from "../../src/weights/safetensors.ts";
import { readBytes, readJson } from "../chat-support.ts";
import { FOLDERS } from "../families.ts";
import { drawBytes, drawValues } from "./draws.ts";
import { unpackTensors } from "./packing.ts";
import { GOLDENS, UNPACKED } from "./paths.ts";
import { type Manifest, familyFolders, sha256 } from "./unpack.ts";

const MEGABYTE = 1e6;
const root = join(import.meta.dirname, "..", "..");
const readme = readFileSync(join(root, GOLDENS, "README.md"), "utf8");

/** Files below a folder of the repository, as paths from there. */
function filesBelow(folder: string): string[] {
  const entries = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" });
  return entries.filter((path) => statSync(join(root, folder, path)).isFile()).sort();
}

test("every family has a folder", () => {
  expect(familyFolders()).toEqual(expect.arrayContaining([...FOLDERS]));
});

describe.each(familyFolders())("%s", (folder) => {
  const source = `${GOLDENS}/${folder}`;
  const manifest = readJson(`${source}/manifest.json`) as Manifest;
  const unpacked = Object.keys(manifest.unpacked);
  const headerOf = (name: string) => parseHeader(name, readBytes(`${UNPACKED}/${folder}/${name}`));

  test("holds the files that its manifest lists, unchanged", () => {
    const hashes = filesBelow(source)
      .filter((name) => name !== "manifest.json")
      .map((name) => [name, sha256(readBytes(`${source}/${name}`))]);
    expect(Object.fromEntries(hashes)).toEqual(manifest.files);
  });

  test("takes at most 1.5 MB", () => {
    const sizes = filesBelow(source).map((name) => statSync(join(root, source, name)).size);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(1.5 * MEGABYTE);
  });

  test("unpacks to the files that were recorded", () => {
    const hashes = unpacked.map((name) => [
      name,
      sha256(readBytes(`${UNPACKED}/${folder}/${name}`)),
    ]);
    expect(Object.fromEntries(hashes)).toEqual(manifest.unpacked);
  });

  test("names its tensors in newer/names.json", () => {
    const names = readJson(`${source}/newer/names.json`) as object;
    const weights = unpacked.find((name) => name.startsWith("model")) as string;
    expect([...headerOf(weights).tensors.keys()].sort()).toEqual(Object.keys(names).sort());
  });

  test("has tensors that the README explains", () => {
    expect(readme).toContain(`\`${folder}\``);
    const names = unpacked
      .filter((name) => name.startsWith("expected"))
      .flatMap((name) => [...headerOf(name).tensors.keys()])
      .map((name) => name.slice(name.indexOf(".") + 1).replace(/\.\d+$/, ".<i>"));
    expect([...new Set(names)].filter((name) => !readme.includes(`\`${name}\``))).toEqual([]);
  });
});

describe("draws, as e2e/goldens/make/draws.py makes them", () => {
  test.each([
    ["plain", { stream: 1, std: 0.5 }, [2, 3]],
    ["a mean and an offset", { stream: 4294967295, std: 0.2, mean: 3.5, offset: -1 }, [5]],
    ["factors of rows", { stream: 77, std: 1, rows: [[1, 3, 0.4]] }, [3, 2]],
    ["blended rows", { stream: 77, std: 1, blend: [2, 0.55, 0.83] }, [5, 2]],
    ["signs", { stream: 123456789, std: 0.2, mean: 1, signs: true }, [8]],
  ] as const)("%s", (name, draw, shape) => {
    expect([...drawValues(draw, shape)]).toEqual(VALUES[name]);
  });

  test("rounded to bfloat16 and to float32", () => {
    const draw = { stream: 5, std: 1 };
    const singles = new Float32Array(drawBytes(draw, [1000], "F32").buffer as ArrayBuffer);
    const halves = new Uint16Array(drawBytes(draw, [1000], "BF16").buffer as ArrayBuffer);
    const widened = new Float32Array(Uint32Array.from(halves, (x) => x << 16).buffer);
    singles.forEach((value, i) => {
      expect(Math.abs((widened[i] as number) - value)).toBeLessThanOrEqual(Math.abs(value) / 256);
    });
    expect(() => drawBytes(draw, [1], "F16")).toThrow("drawBytes: expected BF16 or F32, got F16");
  });

  test("mean 0 and standard deviation 1", () => {
    const values = drawValues({ stream: 9, std: 1 }, [100_000]);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const square = values.reduce((sum, value) => sum + value * value, 0) / values.length;
    expect(Math.abs(mean)).toBeLessThan(0.01);
    expect(Math.abs(square - 1)).toBeLessThan(0.02);
  });
});

test("a packed file, as e2e/goldens/make/packing.py makes it", () => {
  const tensors = unpackTensors(new Uint8Array(Buffer.from(PACKED, "base64")));
  expect(Object.fromEntries(tensors)).toEqual({
    "a.grid": { shape: [2, 3], values: new Float32Array([-1, -0.25, 0, 0.5, 1.25, 2]) },
    "a.pixel_values": { shape: [5], values: new Float32Array([0.1, -0.7, 0.1, 0.1, 3]) },
    "a.zeros": { shape: [4], values: new Float32Array(4) },
  });
});

/** Values that Python draws. */
const VALUES: Readonly<Record<string, number[]>> = {
  plain: [
    0.4855959096850601, -0.3612068096672122, 0.37555939813081, 0.2463861019584295,
    0.0813313346270544, 0.021528882695396753,
  ],
  "a mean and an offset": [
    2.3746540607512454, 2.110566433021045, 2.443546485376515, 2.369869864596713, 2.562194550008924,
  ],
  "factors of rows": [
    -0.4018724769807394, -0.43057765390793507, 0.0727197815488957, 0.5492257185403439,
    0.6544780339400613, -0.5492257185403439,
  ],
  "blended rows": [
    1.1370120580862204, -1.3764610756205775, -0.6465362683235372, 1.4024392607396898,
    1.6361950848501532, -1.3730642963508595, -0.899428877052131, 0.7798239731888157,
    -1.6170583002320227, 1.4400430425143163,
  ],
  signs: [
    1.1751015792558936, 1.1913678461813044, -1.0956839230906523, -1.0985544407833718,
    0.5655949891684389, 1.0133957492326913, 0.8009774399714433, 0.8095889930496021,
  ],
};

/** A file that Python packs. */
const PACKED =
  "sAAAAAAAAAB7ImEuZ3JpZCI6eyJzaGFwZSI6WzIsM10sImJpdHMiOjE4LCJsb3ciOi02NTUzNiwic3RlcCI6MS41MjU4Nzg5MDYyNWUtMDV9LCJhLnBpeGVsX3ZhbHVlcyI6eyJzaGFwZSI6WzVdLCJiaXRzIjoyLCJ0YWJsZSI6M30sImEuemVyb3MiOnsic2hhcGUiOls0XSwiYml0cyI6MCwibG93IjowLCJzdGVwIjoxLjB9fQAAAAADABAAYABAAgAMMzMzv83MzD0AAEBAUQI=";
