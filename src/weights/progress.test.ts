import { expect, test } from "vitest";
import { Rate } from "./progress.ts";

test("the rate is that of the last seconds, and gives the time left", () => {
  const rate = new Rate();
  expect(rate.add(0, 1000, 0)).toEqual({});
  expect(rate.add(5, 1000, 500)).toEqual({});
  expect(rate.add(20, 1000, 2000)).toEqual({ bytesPerSecond: 10, secondsLeft: 98 });
  rate.add(100, 1000, 10_000);
  // The first samples no longer count.
  expect(rate.add(400, 1000, 20_000)).toEqual({
    bytesPerSecond: 380 / 18,
    secondsLeft: 600 / (380 / 18),
  });
  expect(rate.add(400, 1000, 200_000)).toEqual({ bytesPerSecond: 0 });
});
