import type { TokenLogprobs, TokenLogprob } from "../chat/logprobs.ts";
import type { ChoiceLogprobs, WireTokenLogprob } from "./wire.ts";

/** Logprobs in OpenAI's shape; null where there are none to tell. */
export function choiceLogprobs(places: readonly TokenLogprobs[]): ChoiceLogprobs | null {
  if (places.length === 0) return null;
  const content = places.map(({ top, ...place }) => ({
    ...wireLogprob(place),
    top_logprobs: top.map(wireLogprob),
  }));
  return { content, refusal: null };
}

function wireLogprob({ token, bytes, logprob }: TokenLogprob): WireTokenLogprob {
  return { token, bytes: [...bytes], logprob };
}
