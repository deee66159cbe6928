import { expect, test } from "vitest";
import { type Offer, OFFERS, SAMPLE } from "./catalogue.ts";
import { type Device, fit } from "./fit.ts";
import { gpuBytes } from "./gpu-bytes.ts";

const named = (name: string) => OFFERS.find((offer) => offer.name === name) as Offer;
const [SMALL, MIDDLE, LARGE, HUGE] = [
  "SmolVLM2 256M",
  "Qwen2-VL 2B",
  "Qwen3-VL 4B",
  "LLaVA-1.5 7B",
].map(named) as [Offer, Offer, Offer, Offer];

/** A desktop with room for all, whose browser says so. */
const desktop: Device = {
  software: false,
  maxBufferSize: 4 * 2 ** 30,
  memoryGiB: 32,
  mobile: false,
  storageBytes: 100e9,
  kept: [],
};
const outcome = (device: Partial<Device>, offer: Offer) =>
  fit({ ...desktop, ...device }, offer, "auto").outcome;

test.each(OFFERS)("$name fits a desktop with 32 GB, and there is nothing to remark", (offer) => {
  expect(fit(desktop, offer, "auto")).toEqual({ outcome: "fits", remarks: [] });
});

test.each([
  [2, SMALL, "fits"],
  [2, MIDDLE, "may not fit"],
  [2, LARGE, "does not fit"],
  [4, MIDDLE, "fits"],
  [4, LARGE, "may not fit"],
  [8, LARGE, "fits"],
  [4, HUGE, "does not fit"],
  [8, HUGE, "may not fit"],
])("%i GB of memory, $name: %s", (memoryGiB, offer, expected) => {
  expect(outcome({ memoryGiB }, offer)).toBe(expected);
});

test("8 GB may be more than that, which many browsers don't say", () => {
  const told = (memoryGiB: number) => fit({ ...desktop, memoryGiB }, LARGE, "f32").outcome;
  expect(gpuBytes(LARGE, "f32")).toBeGreaterThan(8 * 2 ** 30);
  expect([told(4), told(8), told(32)]).toEqual(["does not fit", "may not fit", "may not fit"]);
});

test("a browser that does not say how much memory there is", () => {
  expect(outcome({ memoryGiB: undefined }, MIDDLE)).toBe("fits");
  const { outcome: large, remarks } = fit({ ...desktop, memoryGiB: undefined }, LARGE, "auto");
  expect(large).toBe("may not fit");
  expect(remarks[0]).toContain("does not say how much memory");
});

test.each([
  [undefined, SMALL, "fits"],
  [undefined, MIDDLE, "may not fit"],
  [undefined, LARGE, "does not fit"],
  [8, MIDDLE, "may not fit"],
  [8, LARGE, "does not fit"],
])("a phone that says %s GB, $name: %s", (memoryGiB, offer, expected) => {
  expect(outcome({ mobile: true, memoryGiB }, offer)).toBe(expected);
});

test("small buffers tell of a small GPU", () => {
  const maxBufferSize = 2 ** 28;
  expect(outcome({ maxBufferSize }, SMALL)).toBe("fits");
  expect(outcome({ maxBufferSize }, MIDDLE)).toBe("may not fit");
});

test("a software adapter takes the processor's memory", () => {
  expect(outcome({ software: true }, SMALL)).toBe("fits");
  expect(outcome({ software: true }, LARGE)).toBe("may not fit");
});

test("q4 is advised where it takes much less", () => {
  const advice = (quantization: "auto" | "f16" | "q4") =>
    fit({ ...desktop, memoryGiB: 4 }, LARGE, quantization).remarks.at(-1);
  expect(advice("f16")).toContain("Try q4");
  expect(advice("auto")).toBe("Try a smaller model.");
  expect(advice("q4")).toBe("Try a smaller model.");
});

test("what can't be stored is downloaded again, which does not make it unfit", () => {
  const full = { ...desktop, storageBytes: 1e9 };
  expect(fit(full, MIDDLE, "auto")).toEqual({
    outcome: "fits",
    remarks: ["Only 1.0 GB can be stored here, so next time it is downloaded again."],
  });
  expect(fit({ ...full, kept: [MIDDLE.source] }, MIDDLE, "auto").remarks).toEqual([]);
  expect(fit({ ...full, storageBytes: undefined }, MIDDLE, "auto").remarks).toEqual([]);
});

test("the sample fits a phone without a GPU, storage or much memory", () => {
  const poor = { software: true, mobile: true, memoryGiB: 0.25, storageBytes: 0 };
  const sample = OFFERS.find(({ source }) => source === SAMPLE) as Offer;
  expect(outcome(poor, sample)).toBe("fits");
});
