import { expect, test } from "vitest";
import { OFFERS, type Offer } from "./catalogue.ts";
import type { Device } from "./device.ts";
import { fitOf } from "./fit.ts";

const named = (name: string) => OFFERS.find((offer) => offer.name === name) as Offer;
const MIDDLE = named("Qwen2-VL 2B");
const LARGE = named("Qwen3-VL 4B");

/** A desktop with room for all models, whose browser says so. */
const desktop: Device = {
  software: false,
  maxBufferBytes: 4 * 2 ** 30,
  memoryBytes: 32 * 2 ** 30,
  mobile: false,
  freeStorageBytes: 100e9,
  stored: [],
};

test.each(OFFERS)("$name fits a desktop with 32 GB, without remarks", (offer) => {
  expect(fitOf(desktop, offer, "auto")).toEqual({ outcome: "fits", remarks: [] });
});

test.each([
  [{ memoryBytes: 4 * 2 ** 30 }, "it has 4 GB of memory"],
  [{ memoryBytes: undefined }, "does not say how much memory"],
  [{ memoryBytes: undefined, mobile: true }, "Phones and tablets"],
  [{ maxBufferBytes: 2 ** 28 }, "at most 270 MB at once"],
  [{ software: true }, "Without a GPU"],
])("%j is explained", (properties, remark) => {
  const { outcome, remarks } = fitOf({ ...desktop, ...properties }, LARGE, "auto");
  expect(outcome).not.toBe("fits");
  expect(remarks[0]).toContain(remark);
});

test("q4 is recommended if it takes much less memory", () => {
  const advice = (quantization: "auto" | "f16" | "q4") =>
    fitOf({ ...desktop, memoryBytes: 4 * 2 ** 30 }, LARGE, quantization).remarks.at(-1);
  expect(advice("f16")).toContain("Try q4");
  expect(advice("auto")).toBe("Try a smaller model.");
  expect(advice("q4")).toBe("Try a smaller model.");
});

test("a model that can't be stored still fits, and is downloaded again next time", () => {
  const full = { ...desktop, freeStorageBytes: 1e9 };
  expect(fitOf(full, MIDDLE, "auto")).toEqual({
    outcome: "fits",
    remarks: ["Only 1.0 GB can be stored here, so next time it is downloaded again."],
  });
  expect(fitOf({ ...full, stored: [MIDDLE.source] }, MIDDLE, "auto").remarks).toEqual([]);
  expect(fitOf({ ...full, freeStorageBytes: undefined }, MIDDLE, "auto").remarks).toEqual([]);
});
