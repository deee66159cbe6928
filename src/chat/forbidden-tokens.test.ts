import { expect, test } from "vitest";
import { random } from "../../tests/seeded.ts";
import { type ForbiddenTokens, forbidTokens, forbidsTokens } from "./forbidden-tokens.ts";

/** Ids that may not come after a prompt and an answer, of a vocabulary of 40. */
async function forbidden(
  fields: ForbiddenTokens,
  prompt: number[],
  answer: number[] = [],
  format?: number[],
): Promise<number[]> {
  const allowed = format && {
    mask: (words: Uint32Array) => {
      for (const id of format) words[id >>> 5] = (words[id >>> 5] as number) | (1 << (id % 32));
      return true;
    },
    accept() {},
  };
  const constraint = forbidTokens(fields, prompt, [39], allowed);
  for (const token of answer) constraint.accept(token);
  const words = new Uint32Array(2);
  expect(await constraint.mask(words)).toBe(true);
  return Array.from({ length: 40 }, (_, id) => id).filter(
    (id) => (((words[id >>> 5] as number) >>> (id % 32)) & 1) === 0,
  );
}

// The expected ids are those of transformers' processors of the same names.
test.each([
  [{ suppress_tokens: [3, 35] }, [1, 2], [], [3, 35]],
  [{ suppress_tokens: [3, 35] }, [1, 2], [5, 6], [3, 35]],
  [{ begin_suppress_tokens: [4] }, [1, 2], [], [4]],
  [{ begin_suppress_tokens: [4] }, [1, 2], [5], []],
  [{ bad_words_ids: [[7], [1, 2], [2, 8], [9, 2, 10], [39]] }, [1, 2], [], [7, 8]],
  [{ bad_words_ids: [[9, 2, 10]] }, [9], [2], [10]],
  [{ bad_words_ids: [[1, 2, 3, 4]] }, [3], [], []],
  [{ no_repeat_ngram_size: 1 }, [1, 2], [5], [1, 2, 5]],
  [{ no_repeat_ngram_size: 2 }, [1, 2, 3, 1, 4], [1], [2, 4]],
  [{ no_repeat_ngram_size: 3 }, [1, 2, 3, 1], [2], [3]],
  [{ no_repeat_ngram_size: 3 }, [1, 2], [], []],
] as const)("%j after %j and %j", async (fields, prompt, answer, expected) => {
  expect(forbidsTokens(fields)).toBe(true);
  expect(await forbidden(fields, [...prompt], [...answer])).toEqual(expected);
});

test.each([1, 2, 3, 4])("no sequence of %i tokens comes twice, whatever comes", async (size) => {
  const next = random(size);
  const prompt = Array.from({ length: 20 }, () => next(3));
  const answer: number[] = [];
  for (let i = 0; i < 40; i++) {
    const all = [...prompt, ...answer];
    const starts = all.map((_, start) => all.slice(start, start + size));
    const repeated = starts.filter(
      (found) =>
        found.length === size &&
        found.slice(0, -1).join() === all.slice(all.length - size + 1).join(),
    );
    const expected = [...new Set(repeated.map((found) => found.at(-1) as number))];
    const ids = await forbidden({ no_repeat_ngram_size: size }, prompt, answer);
    expect(ids).toEqual(expected.sort((a, b) => a - b));
    answer.push(next(3));
  }
});

test("a format's tokens are forbidden too, unless no other is left", async () => {
  const others = Array.from({ length: 40 }, (_, id) => id);
  const left = async (fields: ForbiddenTokens) => {
    const not = await forbidden(fields, [1], [], [5, 6]);
    return others.filter((id) => !not.includes(id));
  };
  expect(await left({ suppress_tokens: [5, 9] })).toEqual([6]);
  expect(await left({ suppress_tokens: [5, 6] })).toEqual([5, 6]);
});

test("settings at their defaults forbid nothing", () => {
  const fields = { suppress_tokens: [], bad_words_ids: null, no_repeat_ngram_size: 0 };
  expect(forbidsTokens(fields)).toBe(false);
});
