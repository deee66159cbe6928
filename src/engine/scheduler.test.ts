import { describe, expect, test } from "vitest";
import { FIRST_SAMPLED, VOCABULARY, hashOf } from "../../tests/fake-decoder.ts";
import {
  GREEDY,
  type Outcome,
  type Wanted,
  machineOf,
  wantedOf,
} from "../../tests/fake-machine.ts";
import { random } from "../../tests/seeded.ts";
import type {
  GeneratedToken,
  GenerationInput,
  GenerationProgress,
  Sampling,
  TokenConstraint,
} from "./generation.ts";
import { allow } from "./mask-bits.ts";

const idsOf = ({ tokens }: Outcome) => tokens.map(({ token }) => token);
const turn = () => new Promise<void>((resolve) => setTimeout(resolve));

describe("one request", () => {
  test("takes a pass over its prompt and one for each further token, two in flight", async () => {
    const { decoder, run } = machineOf();
    expect((await run(wantedOf({ maxTokens: 3 }))).tokens).toHaveLength(3);
    expect(decoder.log).toEqual([
      ...["forward 32", "sample 1"],
      ...["decode 1", "sample 1", "decode 1", "sample 1"],
    ]);
  });

  test("is prefilled in chunks, and shares what an earlier request has computed", async () => {
    const { decoder, run } = machineOf();
    const ids = Array.from({ length: 70 }, (_, i) => i % 30);
    const first = await run(wantedOf({ ids, maxTokens: 1 }));
    expect(decoder.log.splice(0)).toEqual([
      ...["forward 32", "forward 32", "forward 32", "sample 1"],
    ]);
    expect(await run(wantedOf({ ids, maxTokens: 1 }))).toEqual(first);
    expect(decoder.log).toEqual(["forward 32", "sample 1"]);
  });

  test("with a constraint waits for each mask while the pass runs", async () => {
    const { decoder, run } = machineOf();
    const constraint = constraintOf(5);
    const { tokens } = await run(wantedOf({ maxTokens: 2, constraint }));
    expect(tokens).toHaveLength(2);
    expect(decoder.log).toEqual(["forward 32", "sample 1", "decode 1", "sample 1"]);
  });

  test("that does not fit into the cache fails, and the next one is answered", async () => {
    const { run, cache } = machineOf({ pages: 1 });
    const long = await run(wantedOf({ maxTokens: 100 }));
    expect(long.tokens).toHaveLength(61);
    expect(long.error).toContain("hold all 1 pages");
    expect((await run(wantedOf({}))).tokens).toHaveLength(8);
    expect(cache.roomPages).toBe(1);
  });
});

describe("several requests", () => {
  test("share steps, whose size follows their number", async () => {
    const { decoder, run } = machineOf();
    const lengths = [12, 18, 24, 30, 36];
    await Promise.all(lengths.map((maxTokens, i) => run(wantedOf({ ids: [i, 5], maxTokens }))));
    const sizes = decoder.log
      .filter((name) => name.startsWith("decode"))
      .map((name) => name.at(-1));
    expect(sizes.join("")).toMatch(/^1+2+4+8+4+2+1+$/);
    expect(sizes.length).toBeLessThan(50);
  });

  test("run in the order of priority, then of their calls", async () => {
    const { generate, scheduler } = machineOf({ sequences: 1 });
    const order: number[] = [];
    const priorities = [0, 0, 2, -1, 0, 2, -1];
    await Promise.all(
      priorities.map(async (priority, i) => {
        const tokens = generate(wantedOf({ maxTokens: 2, priority }));
        await tokens.next();
        order.push(i);
        while (!(await tokens.next()).done);
      }),
    );
    expect(order).toEqual([3, 6, 0, 1, 4, 2, 5]);
    expect([scheduler.waiting, scheduler.running]).toEqual([0, 0]);
  });

  test("are told their place in the queue, and how much of their prompt is computed", async () => {
    const { run } = machineOf({ sequences: 1 });
    const told: string[][] = [[], [], [], []];
    const ids = Array.from({ length: 70 }, (_, i) => i % 30);
    const asked = (i: number, more: Partial<GenerationInput> = {}): Wanted => {
      const onProgress = (one: GenerationProgress) => {
        if (one.stage === "queue") told[i]!.push(`${one.position} before`);
        if (one.stage === "prompt") told[i]!.push(`${one.cached} ${one.computed}/${one.total}`);
      };
      return wantedOf({ ids, maxTokens: 2, onProgress, ...more });
    };
    const left = new AbortController();
    await Promise.all([
      run(asked(0)),
      run(asked(1, { signal: left.signal })),
      run(asked(2)),
      run(asked(3, { priority: -1 })),
      Promise.resolve().then(() => left.abort(new Error("no longer wanted"))),
    ]);
    const whole = ["0 32/70", "0 64/70", "0 70/70"];
    expect(told).toEqual([
      ["0 before", "1 before", "0 before", "69 70/70"],
      ["1 before", "2 before", "1 before"],
      ["2 before", "3 before", "2 before", "1 before", "0 before", "69 70/70"],
      ["0 before", ...whole],
    ]);
  });

  test("beyond the queue are refused at once", async () => {
    const { run, scheduler } = machineOf({ sequences: 2, queueLength: 3 });
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => run(wantedOf({}))));
    const errors = outcomes.flatMap(({ error }) => error ?? []);
    expect(errors).toHaveLength(3);
    expect(errors[0]).toContain(
      "QueueFullError: Scheduler.add: the queue is full, 5 requests wait",
    );
    expect(scheduler.waiting).toBe(0);
  });

  test("go on while the images of another are encoded, and while nobody reads one of them", async () => {
    let release = (): void => {};
    const opened = new Promise<void>((resolve) => (release = resolve));
    const { run, generate, scheduler } = machineOf({ beforeImage: () => opened });
    const unread = generate(wantedOf({ ids: [9], maxTokens: 30 }));
    await unread.next();
    const plain = generate(wantedOf({ maxTokens: 40 }));
    await plain.next();
    const slow = run(wantedOf({ ids: [7, 7] }, { images: [1] }));
    const free: GeneratedToken[] = [];
    for await (const token of plain) free.push(token);
    expect([free.length, scheduler.running]).toEqual([39, 1]);
    release();
    expect((await slow).tokens).toHaveLength(8);
    const rest: GeneratedToken[] = [];
    for await (const token of unread) rest.push(token);
    expect(rest).toHaveLength(29);
  });

  test("all fail when the device fails, and those that wait are answered", async () => {
    let failure: Error | undefined;
    const check = () => {
      if (!failure) return;
      const error = failure;
      failure = undefined;
      throw error;
    };
    const { run, generate, scheduler, cache } = machineOf({ check, sequences: 3 });
    const running = [1, 2].map((id) => run(wantedOf({ ids: [id], maxTokens: 50 })));
    const third = generate(wantedOf({ maxTokens: 50 }));
    for (let i = 0; i < 4; i++) await third.next();
    const waiting = run(wantedOf({ ids: [4] }));
    failure = new Error("lost");
    for (const { error } of await Promise.all(running)) expect(error).toBe("Error: lost");
    const rest = async () => {
      while (!(await third.next()).done);
    };
    await expect(rest()).rejects.toThrow("lost");
    expect(idsOf(await waiting)).toEqual(idsOf(await machineOf().run(wantedOf({ ids: [4] }))));
    expect([scheduler.running, cache.roomPages]).toEqual([0, 64]);
  });

  test("that find no page make the youngest wait, which then continues where it was", async () => {
    const requests = [1, 2, 3].map((id) =>
      wantedOf({
        ids: [id, 8, 8],
        maxTokens: 150,
        sampling: { ...GREEDY, temperature: 1, seed: id },
      }),
    );
    const { run, decoder, cache } = machineOf({ pages: 4 });
    const together = await Promise.all(requests.map((one) => run(one)));
    for (const [i, one] of requests.entries()) {
      expect(idsOf(together[i] as Outcome)).toEqual(idsOf(await machineOf().run(one)));
    }
    // Rows of generated tokens are computed again, eight at once.
    expect(decoder.log).toContain("forward 8");
    expect(cache.roomPages).toBe(4);
  });
});

/** Forbids about half of the tokens, others at each step. */
function constraintOf(seed: number, failsAt = Infinity, wait = async () => {}): TokenConstraint {
  const accepted: number[] = [];
  return {
    async mask(words) {
      if (accepted.length % 3 === 2) return false;
      await wait();
      if (accepted.length >= failsAt) throw new Error("no grammar");
      for (let id = FIRST_SAMPLED; id < VOCABULARY; id++) {
        if (hashOf(seed, id, ...accepted) % 2 === 0 || id === 40) allow(words, id);
      }
      return true;
    },
    accept: (token) => void accepted.push(token),
  };
}

/** A request of a random schedule: what is asked, when, and how it ends early. */
interface Visit {
  readonly wanted: (wait?: () => Promise<void>) => Wanted;
  readonly delay: number;
  /** Tokens that are read before the reader leaves, or its signal aborts. */
  readonly leaves: number;
  readonly aborts: boolean;
  /** Tokens between two pauses of the reader. */
  readonly pauses: number;
}

function randomVisit(pick: (below: number) => number, prefixes: readonly number[][]): Visit {
  const shared = prefixes[pick(prefixes.length)] as number[];
  const own = Array.from({ length: 1 + pick(40) }, () => pick(FIRST_SAMPLED));
  const ids = [...shared.slice(0, pick(shared.length + 1)), ...own];
  const seed = pick(1000);
  const images = pick(4) === 0 ? [pick(3) + 1, pick(3) + 1].slice(0, Math.min(2, ids.length)) : [];
  const sampling: Sampling = {
    ...(pick(2) === 0 ? GREEDY : { ...GREEDY, temperature: 1, topK: pick(3), seed }),
    ...(pick(5) === 0 && { repetitionPenalty: 1.3 }),
    ...(pick(5) === 0 && { frequencyPenalty: 0.2, presencePenalty: 0.1 }),
    ...(pick(5) === 0 && { logitBias: new Map([[33 + pick(20), 0.3]]) }),
  };
  const input = {
    ids,
    maxTokens: 1 + pick(90),
    stopTokenIds: pick(2) === 0 ? [50, 51] : [],
    sampling,
    priority: pick(4) === 0 ? pick(3) - 1 : 0,
    ...(pick(6) === 0 && { minTokens: pick(12) }),
    ...(pick(5) === 0 && { logprobs: pick(3) }),
  };
  const isConstrained = pick(4) === 0;
  const failsAt = pick(8) === 0 ? pick(10) : Infinity;
  const ring = pick(6) === 0 ? 1 + pick(2) : 0;
  const aborts = pick(2) === 0;
  return {
    wanted: (wait) =>
      wantedOf(
        { ...input, ...(isConstrained && { constraint: constraintOf(seed, failsAt, wait) }) },
        { images, ring },
      ),
    delay: pick(3) === 0 ? pick(30) : 0,
    leaves: pick(4) === 0 ? pick(20) + Number(!aborts) : Infinity,
    aborts,
    pauses: pick(3) === 0 ? 1 + pick(5) : Infinity,
  };
}

/** More are played by hand: `SCHEDULES=5000`. */
const SCHEDULES = Number(process.env["SCHEDULES"] ?? 40);

describe("in random schedules", () => {
  test("every request gets the tokens that it gets alone", { timeout: 120_000 }, async () => {
    let preempted = 0;
    for (let seed = 0; seed < SCHEDULES; seed++) {
      const pick = random(seed);
      const wait = async (): Promise<void> => {
        for (let turns = pick(6); turns > 0; turns--) await undefined;
        if (pick(40) === 0) await turn();
      };
      const pages = 2 + pick(6);
      const machine = machineOf({ pages, sequences: 1 + pick(8), wait });
      const prefixes = Array.from({ length: 2 }, () =>
        Array.from({ length: pick(70) }, () => pick(FIRST_SAMPLED)),
      );
      const visits = Array.from({ length: 1 + pick(10) }, () => randomVisit(pick, prefixes));
      const outcomes = await Promise.all(
        visits.map(async ({ wanted, delay, leaves, aborts, pauses }) => {
          for (let i = 0; i < delay; i++) await wait();
          const controller = new AbortController();
          const one = wanted(wait);
          const signal = aborts ? controller.signal : undefined;
          const input = { ...one.input, ...(signal && { signal }) };
          const tokens: GeneratedToken[] = [];
          try {
            if (leaves === 0 && aborts) void wait().then(() => controller.abort("enough"));
            for await (const token of machine.generate({ ...one, input })) {
              tokens.push(token);
              if (tokens.length % pauses === 0) await wait();
              if (tokens.length !== leaves) continue;
              if (!aborts) break;
              controller.abort("enough");
            }
          } catch (error) {
            return { tokens, error: String(error) };
          }
          return { tokens };
        }),
      );
      expect([machine.scheduler.waiting, machine.scheduler.running], `${seed}`).toEqual([0, 0]);
      expect(machine.cache.roomPages, `${seed}`).toBe(pages);
      if (machine.decoder.log.includes("forward 8")) preempted++;
      for (const [i, { wanted }] of visits.entries()) {
        const { tokens, error }: Outcome = outcomes[i] as Outcome;
        const alone = await machineOf({ pages }).run(wanted());
        const expected = error === "enough" ? tokens.length : alone.tokens.length;
        const read = Math.min(expected, (visits[i] as Visit).leaves);
        expect(tokens, `schedule ${seed}, request ${i}`).toEqual(alone.tokens.slice(0, read));
        if (error !== "enough" && (visits[i] as Visit).leaves > read) {
          expect(error, `schedule ${seed}, request ${i}`).toBe(alone.error);
        }
      }
    }
    expect(preempted).toBeGreaterThan(SCHEDULES / 40);
  });
});
