import type { Plan } from "../gpu/plan.ts";
import type { Decoder, Sampler } from "./decoder.ts";
import type { GeneratedToken, TokenConstraint } from "./generation.ts";

/** What one request's tokens are drawn by. */
export interface DecodeLoop {
  readonly decoder: Decoder;
  /** The prompt's last rows, which are in the row buffer. */
  readonly prompt: Plan;
  /** One row more. */
  readonly decode: Plan;
  readonly finish: Sampler;
  /** How many tokens there are at most. */
  readonly count: number;
  /** Called before the pass over the `drawn`-th token is submitted, which writes its key. */
  readonly onDecode: (drawn: number) => void;
  /** Called when the `drawn`-th token has been read; throws when it can't be trusted. */
  readonly onRead: (token: number, drawn: number) => void;
}

/** Draws tokens, one step ahead of what has been read. */
export async function* decodeAhead({
  decoder,
  prompt,
  decode,
  finish,
  count,
  onDecode,
  onRead,
}: DecodeLoop): AsyncGenerator<GeneratedToken, void, void> {
  let pending: Promise<GeneratedToken> | undefined = decoder.step(prompt, finish);
  decoder.chooseHead(0);
  try {
    for (let drawn = 1; pending; drawn++) {
      const current: Promise<GeneratedToken> = pending;
      pending = undefined;
      // The GPU goes on with the token that it has just drawn, while we wait to read it.
      if (drawn < count) {
        onDecode(drawn);
        pending = decoder.step(decode, finish);
      }
      const read = await current;
      onRead(read.token, drawn);
      yield read;
    }
  } finally {
    // A read-back under way must be over before its buffer is used again.
    await pending?.catch(() => {});
  }
}

/**
 * Draws what a constraint allows. It needs each token before it can tell what may follow, which it
 * works out while the forward pass over that token runs already.
 *
 * @param masked `finish`, of what the decoder's mask allows
 */
export async function* decodeConstrained(
  { decoder, prompt, decode, finish, count, onDecode, onRead }: DecodeLoop,
  constraint: TokenConstraint,
  masked: Sampler,
): AsyncGenerator<GeneratedToken, void, void> {
  decoder.submit(prompt);
  decoder.chooseHead(0);
  for (let drawn = 1; drawn <= count; drawn++) {
    const restricts = await decoder.mask.update(constraint);
    const reading = decoder.sample(restricts ? masked : finish);
    if (drawn < count) {
      onDecode(drawn);
      decoder.submit(decode);
    }
    const read = await reading;
    onRead(read.token, drawn);
    decoder.mask.check(read.token);
    constraint.accept(read.token);
    yield read;
  }
}
