import { describe, expect, test } from "vitest";
import { knownRows } from "./arrival.ts";
import { Request } from "./request.ts";

/** A request whose prompt has T rows, with the given number of generated tokens. */
function requestOf(T: number, generated = 0, bidirectionalEnds?: Uint32Array): Request {
  const ids = Array.from({ length: T }, (_, i) => i);
  const sampling = { temperature: 0, topK: 0, topP: 1, minP: 0, seed: 0 };
  const input = { ids, images: [], maxTokens: 99, stopTokenIds: [], sampling };
  const prompt = { rows: { tokens: ids, bidirectionalEnds }, contents: ids };
  const request = new Request(input, prompt, 99, 0);
  for (let i = 0; i < generated; i++) request.receive({ token: 7 });
  return request;
}

const passesOf = (request: Request, computed: number, preparedRows = 4, maxRows = preparedRows) =>
  knownRows(request, computed, { preparedRows, maxRows }).map(({ start, end, bucket }) => [
    start,
    end,
    bucket,
  ]);

describe("knownRows", () => {
  test("cuts a prompt into chunks, from the first row that is not cached", () => {
    expect(passesOf(requestOf(10), 0)).toEqual([
      [0, 4, 4],
      [4, 8, 4],
      [8, 10, 4],
    ]);
    expect(passesOf(requestOf(10), 9)).toEqual([[9, 10, 4]]);
  });

  test("computes a bidirectional block in one chunk, however large", () => {
    const ends = Uint32Array.of(0, 6, 6, 6, 6, 6, 6, 7);
    expect(passesOf(requestOf(8, 0, ends), 0, 4, 64)).toEqual([
      [0, 1, 4],
      [1, 7, 32],
      [7, 8, 4],
    ]);
  });

  test("computes generated tokens but the last in passes of eight, apart from the prompt", () => {
    expect(passesOf(requestOf(6, 12), 4)).toEqual([
      [4, 6, 4],
      [6, 14, 8],
      [14, 17, 8],
    ]);
    expect(passesOf(requestOf(6, 12), 15)).toEqual([[15, 17, 8]]);
    expect(passesOf(requestOf(6, 12), 17)).toEqual([]);
    expect(passesOf(requestOf(6, 1), 5)).toEqual([[5, 6, 4]]);
  });
});
