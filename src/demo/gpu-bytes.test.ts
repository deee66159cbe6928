import { expect, test } from "vitest";
import { type Offer, OFFERS } from "./catalogue.ts";
import { cacheBytes, gpuBytes } from "./gpu-bytes.ts";

const named = (name: string) => OFFERS.find((offer) => offer.name === name) as Offer;

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
