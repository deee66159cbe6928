import { describe, expect, test } from "vitest";
import type { Plan } from "../gpu/plan.ts";
import { type DecodeLoop, decodeAhead, decodeConstrained } from "./decode-loop.ts";
import type { Sampler } from "./decoder.ts";
import type { GeneratedToken, TokenConstraint } from "./generation.ts";

const passOf = (name: string, headRow: number) => ({ plan: { name } as Plan, headRow });
const samplerOf = (name: string) => ({ plan: { name } as Plan }) as Sampler;

/** A decode loop over a decoder that samples 100, 101, ... and logs what it is asked to do. */
function loopOf(maxTokens: number, isMasked: (count: number) => boolean = () => true) {
  const log: string[] = [];
  let sampled = 0;
  let masks = 0;
  const read = async (): Promise<GeneratedToken> => {
    const count = ++sampled;
    // Later tokens take longer, so that a step is in flight while the token before is read.
    await new Promise((resolve) => setTimeout(resolve, 5 * count));
    log.push(`token ${count}`);
    return { token: 99 + count };
  };
  const nameOf = ({ plan }: { plan: Plan }) => plan.name;
  const decoder = {
    step(forward, sampler) {
      log.push(`step ${nameOf(forward)}:${forward.headRow}, ${nameOf(sampler)}`);
      return read();
    },
    submit(forward) {
      log.push(`submit ${nameOf(forward)}:${forward.headRow}`);
    },
    sample(sampler) {
      log.push(`sample ${nameOf(sampler)}`);
      return read();
    },
    mask: {
      update: async () => {
        log.push("mask");
        return isMasked(++masks);
      },
      check: (token: number) => log.push(`check ${token}`),
    },
  } as DecodeLoop["decoder"];
  const loop: DecodeLoop = {
    decoder,
    prompt: passOf("prompt", 7),
    decode: passOf("decode", 0),
    sampler: samplerOf("sampler"),
    maxTokens,
    onDecode: (count) => log.push(`reserve ${count}`),
    onRead: (token, count) => log.push(`read ${token} as ${count}`),
  };
  return { loop, log };
}

async function collect(tokens: AsyncIterable<GeneratedToken>, most = Infinity): Promise<number[]> {
  const ids: number[] = [];
  for await (const { token } of tokens) if (ids.push(token) >= most) break;
  return ids;
}

describe("decodeAhead", () => {
  test("submits each step before it reads the token of the one before", async () => {
    const { loop, log } = loopOf(3);
    expect(await collect(decodeAhead(loop))).toEqual([100, 101, 102]);
    expect(log.filter((line) => !line.startsWith("token"))).toEqual([
      "step prompt:7, sampler",
      "reserve 1",
      "step decode:0, sampler",
      "read 100 as 1",
      "reserve 2",
      "step decode:0, sampler",
      "read 101 as 2",
      "read 102 as 3",
    ]);
  });

  test("submits no decode step for one token", async () => {
    const { loop, log } = loopOf(1);
    expect(await collect(decodeAhead(loop))).toEqual([100]);
    expect(log).toEqual(["step prompt:7, sampler", "token 1", "read 100 as 1"]);
  });

  test("waits for the step in flight when the reader stops", async () => {
    const { loop, log } = loopOf(9);
    expect(await collect(decodeAhead(loop), 1)).toEqual([100]);
    expect(log.at(-1)).toBe("token 2");
  });

  test("waits for the step in flight when a token can't be trusted", async () => {
    const { loop, log } = loopOf(9);
    const onRead = () => {
      throw new Error("lost");
    };
    await expect(collect(decodeAhead({ ...loop, onRead }))).rejects.toThrow("lost");
    expect(log.at(-1)).toBe("token 2");
  });
});

describe("decodeConstrained", () => {
  const constraintOf = (log: string[]): TokenConstraint => ({
    mask: () => true,
    accept: (token) => log.push(`accept ${token}`),
  });

  test("submits the next pass before it reads the token that the mask depends on", async () => {
    const { loop, log } = loopOf(2);
    const tokens = decodeConstrained(loop, constraintOf(log), samplerOf("masked"));
    expect(await collect(tokens)).toEqual([100, 101]);
    expect(log.filter((line) => !line.startsWith("token"))).toEqual([
      "submit prompt:7",
      "mask",
      "sample masked",
      "reserve 1",
      "submit decode:0",
      "read 100 as 1",
      "check 100",
      "accept 100",
      "mask",
      "sample masked",
      "read 101 as 2",
      "check 101",
      "accept 101",
    ]);
  });

  test("uses the plain sampler where every token is allowed", async () => {
    const { loop, log } = loopOf(3, (count) => count === 2);
    await collect(decodeConstrained(loop, constraintOf(log), samplerOf("masked")));
    const samples = log.filter((line) => line.startsWith("sample"));
    expect(samples).toEqual(["sample sampler", "sample masked", "sample sampler"]);
  });
});
