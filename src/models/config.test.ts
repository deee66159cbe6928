import { expect, test } from "vitest";
import * as z from "zod/mini";
import { parse, Positive } from "./config.ts";

const EVEN = z.number().check(z.refine((n) => n % 2 === 0, "an even number"));

test.each<[schema: z.ZodMiniType, value: unknown, expected: string]>([
  [z.string(), 1, "string"],
  [Positive, 0, "more than 0"],
  [z.number().check(z.lte(2)), 3, "at most 2"],
  [z.number().check(z.multipleOf(4)), 6, "a multiple of 4"],
  [z.string().check(z.regex(/^a_[0-9]$/)), "b", "text like /^a_[0-9]$/"],
  [z.literal(["a", "b"]), "c", '"a" or "b"'],
  [z.union([z.string(), z.number()]), true, "string or number"],
  [z.strictObject({}), { a: 1 }, "no field a"],
  [EVEN, 3, "an even number"],
  [z.record(z.string().check(z.regex(/^k$/)), z.number()), { x: 1 }, "text like /^k$/"],
])("field, value and expectation are in the error: %#", (schema, value, expected) => {
  const shown = JSON.stringify(value);
  const read = () =>
    parse(z.object({ part: z.object({ field: schema }) }), { part: { field: value } }, "f");
  expect(read).toThrow(expected);
  expect(read).toThrow(/^f: part\.field(\.\w+)? is /);
  if (typeof value !== "object") expect(read).toThrow(`is ${shown}, expected ${expected}`);
});
