import type { TokenLogprobs, TokenLogprob } from "../chat/logprobs.ts";
import type { ChoiceLogprobs, WireTokenLogprob } from "./wire.ts";

/** Logprobs in OpenAI's shape; null if there are none. */
export function choiceLogprobs(positions: readonly TokenLogprobs[]): ChoiceLogprobs | null {
  if (positions.length === 0) return null;
  const content = positions.map(({ top, ...token }) => ({
    ...wireLogprob(token),
    top_logprobs: top.map(wireLogprob),
  }));
  return { content, refusal: null };
}

function wireLogprob({ token, bytes, logprob }: TokenLogprob): WireTokenLogprob {
  return { token, bytes: [...bytes], logprob };
}
