import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { JinjaTemplate } from "./interpreter.ts";

/** Recorded by scripts/jinja/record.py. */
const { variables, cases } = JSON.parse(
  readFileSync(join(import.meta.dirname, "cases.json"), "utf8"),
) as {
  readonly variables: Readonly<Record<string, unknown>>;
  readonly cases: readonly { template: string; output?: string; error?: string }[];
};

describe("writes what Jinja2 writes", () => {
  test.each(cases.map((recorded) => [recorded.template, recorded] as const))(
    "%j",
    (template, { output, error }) => {
      const render = () => new JinjaTemplate(template).render(variables);
      if (error === undefined) expect(render()).toBe(output);
      else expect(render, error).toThrow();
    },
  );
});
