import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { RENAMED_RESPONSE_FIELDS, responseRequest, validateResponse } from "./responses-request.ts";
import { IGNORED_RESPONSE_FIELDS } from "./unknown-fields.ts";
import { UNSUPPORTED_RESPONSE_FIELDS } from "./unsupported.ts";

const page = readFileSync(join(import.meta.dirname, "../../docs/responses.md"), "utf8");

const section = (name: string): string =>
  page.split(/^## /m).find((part) => part.startsWith(name)) ?? "";

/** The rows of a section's tables: the name in the first cell, and the second cell. */
function rowsOf(name: string): [string, string][] {
  const rows = section(name).matchAll(/^\| `(\w+)` +\| ([^|]*)\|/gm);
  return [...rows].map(([, name, cell]) => [name as string, (cell as string).trim()]);
}

describe("docs/responses.md", () => {
  test("lists exactly the supported parameters", () => {
    const names = rowsOf("Honoured").map(([name]) => name);
    expect(names.sort()).toEqual(Object.keys(responseRequest.shape).sort());
  });

  test("lists exactly the refused parameters, with their allowed values", () => {
    const rows = rowsOf("Refused");
    const refused = rows.filter(([name]) => !(name in RENAMED_RESPONSE_FIELDS));
    expect(refused.map(([name]) => name).sort()).toEqual(
      Object.keys(UNSUPPORTED_RESPONSE_FIELDS).sort(),
    );
    let checked = 0;
    for (const [name, cell] of refused) {
      for (const [, value] of cell.matchAll(/`([^`]+)`/g)) {
        expect(
          UNSUPPORTED_RESPONSE_FIELDS[name]?.(JSON.parse(value as string)),
          `${name} ${value}`,
        ).toBe(true);
        checked++;
      }
    }
    expect(checked).toBeGreaterThanOrEqual(refused.length - 4);
    const renamed = rows.filter(([name]) => name in RENAMED_RESPONSE_FIELDS);
    expect(Object.fromEntries(renamed.map(([name, cell]) => [name, cell.slice(1, -1)]))).toEqual(
      RENAMED_RESPONSE_FIELDS,
    );
  });

  test("lists ignored parameters that are indeed ignored", () => {
    const names = rowsOf("Ignored").map(([name]) => name);
    expect(names).toEqual(IGNORED_RESPONSE_FIELDS);
    const body = { input: "Hello", ...Object.fromEntries(names.map((name) => [name, "anything"])) };
    expect(validateResponse(body)).toEqual(validateResponse({ input: "Hello" }));
  });
});
