import { expect, test } from "vitest";
import { PACKED_TABLE } from "../tests/packed-table.ts";
import { run } from "./serve-process.ts";

// In a page: src/models/packed.gpu.test.ts.
test("every packed checkpoint answers in Node as the reference does with its weights", async () => {
  const args = ["scripts/run.mjs", "e2e/node/packed.ts"];
  const { code, stdout, stderr } = await run(process.execPath, args);
  expect(code, stderr).toBe(0);
  const answers = stdout.trim().split("\n");
  expect(answers.length).toBe(PACKED_TABLE.length);
  for (const answer of answers) {
    const [name, ids, expected] = JSON.parse(answer) as [string, number[], number[]];
    expect(ids, name).toEqual(expected);
  }
});
