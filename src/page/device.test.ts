import { describe, expect, test } from "vitest";
import { type DeviceInfo, estimateFit, isMobile } from "./device.ts";

const GIB = 2 ** 30;

/** A desktop with room for everything, whose browser says so. */
const desktop: DeviceInfo = {
  software: false,
  maxBufferBytes: 4 * GIB,
  memoryBytes: 32 * GIB,
  mobile: false,
};
const fit = (gibibytes: number, device: Partial<DeviceInfo>) =>
  estimateFit(gibibytes * GIB, { ...desktop, ...device });

describe("estimateFit", () => {
  test("a model of 14 GiB fits 32 GB of memory", () => {
    expect(fit(14, {})).toEqual({ outcome: "fits", reasons: [] });
  });

  test.each([
    [2, 0.9, "fits"],
    [2, 1.8, "may not fit"],
    [2, 3, "does not fit"],
    [4, 1.8, "fits"],
    [4, 3, "may not fit"],
    [4, 4.5, "does not fit"],
    [8, 3, "fits"],
    [8, 4.5, "may not fit"],
    // Many browsers report 8 GiB for any larger memory.
    [8, 17, "may not fit"],
    [32, 17, "may not fit"],
  ])("%d GiB of memory, a model of %d GiB: %s", (memory, need, outcome) => {
    const reasons = outcome === "fits" ? [] : ["memory"];
    expect(fit(need, { memoryBytes: memory * GIB, maxBufferBytes: 16 * GIB })).toEqual({
      outcome,
      reasons,
    });
  });

  test("a browser that doesn't reveal the memory", () => {
    expect(fit(1.9, { memoryBytes: undefined }).outcome).toBe("fits");
    const reasons = ["unknown-memory"];
    expect(fit(3, { memoryBytes: undefined })).toEqual({ outcome: "may not fit", reasons });
  });

  test.each([
    [undefined, 0.9, "fits", []],
    [undefined, 1.8, "may not fit", ["mobile"]],
    [undefined, 3.1, "does not fit", ["mobile"]],
    [8, 1.8, "may not fit", ["mobile"]],
    [8, 3.1, "does not fit", ["mobile"]],
    [4, 3.1, "does not fit", ["memory"]],
  ])("a phone that reveals %s GiB, a model of %d GiB: %s", (memory, need, outcome, reasons) => {
    const memoryBytes = memory && memory * GIB;
    expect(fit(need, { mobile: true, memoryBytes })).toEqual({ outcome, reasons });
  });

  test("small buffers mean a small GPU", () => {
    expect(fit(0.9, { maxBufferBytes: GIB / 4 }).outcome).toBe("fits");
    const reasons = ["small-buffers"];
    expect(fit(1.1, { maxBufferBytes: GIB / 4 })).toEqual({ outcome: "may not fit", reasons });
  });

  test("a software adapter uses the processor's memory", () => {
    expect(fit(1.9, { software: true }).outcome).toBe("fits");
    expect(fit(3, { software: true })).toEqual({ outcome: "may not fit", reasons: ["software"] });
  });

  test("several reasons are all named, and the worst outcome counts", () => {
    const device = {
      software: true,
      mobile: true,
      memoryBytes: undefined,
      maxBufferBytes: GIB / 4,
    };
    expect(fit(3.1, device)).toEqual({
      outcome: "does not fit",
      reasons: ["mobile", "small-buffers", "software"],
    });
  });

  test("the sample model fits a phone with little memory and no GPU", () => {
    expect(fit(0.02, { software: true, mobile: true, memoryBytes: GIB / 4 }).outcome).toBe("fits");
  });
});

test.each([
  ["Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 Chrome/140.0.0.0 Mobile", 5, true],
  ["Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) Version/26.0 Mobile/15E148", 5, true],
  ["Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/26.0 Safari/605.1.15", 5, true],
  ["Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/26.0 Safari/605.1.15", 0, false],
  ["Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/140.0.0.0 Safari/537.36", 10, false],
])("isMobile(%s) with %i touch points", (userAgent, touchPoints, expected) => {
  expect(isMobile(userAgent, touchPoints)).toBe(expected);
});
