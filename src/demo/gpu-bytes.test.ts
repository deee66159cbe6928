import { expect, test } from "vitest";
import type { Gpu } from "../gpu/device.ts";
import { elementCount } from "../gpu/tensor.ts";
import type { WeightFormat } from "../gpu/weight.ts";
import { allocateWeight } from "../weights/format.ts";
import { type Offer, OFFERS } from "./catalogue.ts";
import { BYTES_PER_WEIGHT, cacheBytes, gpuBytes } from "./gpu-bytes.ts";

const named = (name: string) => OFFERS.find((offer) => offer.name === name) as Offer;

/** Counts what is allocated. */
function countingGpu() {
  const counted = { bytes: 0 };
  const tensor = (label: string, shape: readonly number[], dtype: string) => {
    counted.bytes += elementCount(shape) * 4;
    return { label, shape, dtype };
  };
  const limits = { maxStorageBufferBindingSize: 2 ** 30, maxBufferSize: 2 ** 30 };
  return { counted, gpu: { tensor, device: { limits } } as unknown as Gpu };
}

test.each(Object.entries(BYTES_PER_WEIGHT) as [WeightFormat, number][])(
  "%s takes %d bytes a weight",
  (format, expected) => {
    const { counted, gpu } = countingGpu();
    allocateWeight(gpu, "w", 10, 640, format);
    expect(counted.bytes / (10 * 640)).toBe(expected);
  },
);

test("auto keeps the small, takes q8 above 64 MiB and q4 above 3 GiB", () => {
  const weights = ({ weights: { text, vision, embedding } }: Offer) => ({
    inner: text + vision,
    embedding,
    all: text + vision + embedding,
  });
  const [sample, small, large] = ["Sample model", "SmolVLM2 500M", "Qwen3-VL 4B"].map(named) as [
    Offer,
    Offer,
    Offer,
  ];
  expect(gpuBytes(sample, "auto") - cacheBytes(sample)).toBe(2 * weights(sample).all);
  expect(gpuBytes(small, "auto") - cacheBytes(small)).toBe(1.25 * weights(small).all);
  const { inner, embedding } = weights(large);
  expect(gpuBytes(large, "auto") - cacheBytes(large)).toBeCloseTo(
    0.625 * inner + 1.25 * embedding,
    0,
  );
});
