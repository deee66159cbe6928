import type { Decoder, ForwardPass, Sampler } from "./decoder.ts";
import type { GeneratedToken, TokenConstraint } from "./generation.ts";
import type { TokenMask } from "./token-mask.ts";

/** What the decode loop of one request needs. */
export interface DecodeLoop {
  readonly decoder: Pick<Decoder, "step" | "submit" | "sample"> & {
    readonly mask: Pick<TokenMask, "update" | "check">;
  };
  /** The pass over the prompt's last chunk, whose rows are in the row buffer. */
  readonly prompt: ForwardPass;
  /** The pass over one generated token. */
  readonly decode: ForwardPass;
  readonly sampler: Sampler;
  readonly maxTokens: number;
  /** Called before the pass over the `count`-th token, which writes that token's keys, is submitted. */
  readonly onDecode: (count: number) => void;
  /** Called when the `count`-th token has been read. Throws when the token can't be trusted. */
  readonly onRead: (token: number, count: number) => void;
}

/** Samples tokens. The GPU is one step ahead of the token that the CPU reads. */
export async function* decodeAhead({
  decoder,
  prompt,
  decode,
  sampler,
  maxTokens,
  onDecode,
  onRead,
}: DecodeLoop): AsyncGenerator<GeneratedToken, void, void> {
  let next: Promise<GeneratedToken> | undefined = decoder.step(prompt, sampler);
  try {
    for (let count = 1; next; count++) {
      const current: Promise<GeneratedToken> = next;
      next = undefined;
      // The sampled token is on the GPU already, so the next step doesn't wait for the CPU.
      if (count < maxTokens) {
        onDecode(count);
        next = decoder.step(decode, sampler);
      }
      const sampled = await current;
      onRead(sampled.token, count);
      yield sampled;
    }
  } finally {
    // A read-back must end before its staging buffer is used again.
    await next?.catch(() => {});
  }
}

/**
 * Samples tokens that a constraint allows. The constraint needs each token before it can compute the
 * next mask, and does so while the forward pass over that token runs.
 *
 * @param masked the sampler that reads the decoder's token mask, otherwise the same as `sampler`
 * @throws Error when the constraint allows no token, or the sampled token is none that it allows
 */
export async function* decodeConstrained(
  { decoder, prompt, decode, sampler, maxTokens, onDecode, onRead }: DecodeLoop,
  constraint: TokenConstraint,
  masked: Sampler,
): AsyncGenerator<GeneratedToken, void, void> {
  decoder.submit(prompt);
  for (let count = 1; count <= maxTokens; count++) {
    const isMasked = await decoder.mask.update(constraint);
    const next = decoder.sample(isMasked ? masked : sampler);
    if (count < maxTokens) {
      onDecode(count);
      decoder.submit(decode);
    }
    const sampled = await next;
    onRead(sampled.token, count);
    decoder.mask.check(sampled.token);
    constraint.accept(sampled.token);
    yield sampled;
  }
}
