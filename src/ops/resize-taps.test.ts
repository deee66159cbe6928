import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { type Filter, resizeTaps } from "./resize-taps.ts";

/** The first input and the weights of each output position. */
function rows(source: number, target: number, filter: Filter): number[][] {
  const { starts, weights } = resizeTaps(source, target, filter);
  return Array.from({ length: target }, (_, i) => {
    const [low, first, , end] = starts.subarray(2 * i, 2 * i + 4) as unknown as number[];
    return [low as number, ...weights.subarray(first, end)];
  });
}

// The expected numbers are from torchvision's uint8 resize, reimplemented in NumPy.
describe("resizeTaps", () => {
  test("bilinear, 5 to 3", () => {
    expect(resizeTaps(5, 3, "bilinear").bits).toBe(15);
    expect(rows(5, 3, "bilinear")).toEqual([
      [0, 18725, 14043, 0],
      [1, 7282, 18204, 7282],
      [3, 14043, 18725],
    ]);
  });

  test("bicubic, 3 to 5", () => {
    expect(resizeTaps(3, 5, "bicubic").bits).toBe(14);
    expect(rows(3, 5, "bicubic")).toEqual([
      [0, 17621, -1237],
      [0, 10637, 6480, -734],
      [0, 0, 16384, 0],
      [0, -734, 6480, 10637],
      [1, -1237, 17621],
    ]);
  });

  test("Lanczos, 9 to 2", () => {
    expect(resizeTaps(9, 2, "lanczos").bits).toBe(17);
    expect(rows(9, 2, "lanczos")).toEqual([
      [0, 22964, 29166, 30525, 26569, 18662, 9404, 1518, -3221, -4515],
      [0, -4515, -3221, 1518, 9404, 18662, 26569, 30525, 29166, 22964],
    ]);
  });

  test("one pixel is repeated", () => {
    expect(rows(1, 3, "lanczos")).toEqual([
      [0, 16384],
      [0, 16384],
      [0, 16384],
    ]);
  });

  // By torch's "nearest-exact".
  test("nearest takes one pixel", () => {
    const taken = (source: number, target: number) => rows(source, target, "nearest");
    expect(taken(5, 3).map(([first]) => first)).toEqual([0, 2, 4]);
    expect(taken(3, 5).map(([first]) => first)).toEqual([0, 0, 1, 2, 2]);
    expect(taken(7, 2)).toEqual([
      [1, 16384],
      [5, 16384],
    ]);
  });

  test.each([
    [4000, 2048, "462086ffd4440099475f18ab9d085b8a76472349dbbc5bba425c25f12c4a5d42"],
    [96, 2048, "e7a73b5a45c527c8f386f88a73f4e7bf179bbd6ae02866badb2a9859f8658d2a"],
    [1365, 1366, "6bedff2052d332f32706a8b08e3d91adbdb4eb8575ff3e4ccd13bd4c936307de"],
    [3000, 1537, "f0b326a43e40a6bf20dae9d13d14eee7ed29c27fce44c26520137de6fb1804af"],
  ])("%i to %i, nearest: every pixel", (source, target, sha256) => {
    const words = Int32Array.from(rows(source, target, "nearest"), ([first]) => first as number);
    expect(createHash("sha256").update(words).digest("hex")).toBe(sha256);
  });

  test.each([
    [4000, 2048, "lanczos", "4cce3200d52df73d196e4ece3892a8be7e66f32c8cc0a5d06ce3e034da638c15"],
    [96, 2048, "lanczos", "ed9aadca34bcfd2cfec5d51a52a61399f075c432a9febcc85c2e9d6e152e6a22"],
    [2048, 384, "bicubic", "8ab85a9c41e8a11dc05668703e6b2a9680244f0ab3bb40c0d7203a61ec654f63"],
    [3000, 1536, "bilinear", "a9d58f05685ea57250d296b1b7cb510de8bdd662fae301c8ca880d4e0cee28ef"],
    [1365, 1366, "lanczos", "32770f2671a3c582ffbe29802cdfafd6a800f47b64cb535c8acc7a0bc7645a5a"],
  ] as const)("%i to %i, %s: every weight", (source, target, filter, sha256) => {
    const words = Int32Array.from(rows(source, target, filter).flat());
    expect(createHash("sha256").update(words).digest("hex")).toBe(sha256);
  });
});
