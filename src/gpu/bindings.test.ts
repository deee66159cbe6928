import { expect, test } from "vitest";
import { joinGroups } from "./bindings.ts";

const CODE = `
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0)@binding(1)var<storage,read_write>y:array<f32>;
@group(3) @binding(0) var<storage, read> residual: array<f32>;
@group(1) @binding(2) var<storage, read> w: array<f32>;
`;

test("bindings are counted through all groups", () => {
  expect(joinGroups(CODE, [2, 3, 0, 1])).toBe(`
@group(0)@binding(0) var<storage, read> x: array<f32>;
@group(0)@binding(1)var<storage,read_write>y:array<f32>;
@group(0)@binding(5) var<storage, read> residual: array<f32>;
@group(0)@binding(4) var<storage, read> w: array<f32>;
`);
});

test.each([[[2, 3]], [[2, 2, 0, 1]]])("a binding beyond its group is refused: %j", (sizes) => {
  expect(() => joinGroups(CODE, sizes)).toThrow(RangeError);
});
