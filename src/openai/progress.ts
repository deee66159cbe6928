import type { GenerationProgress } from "../engine/generation.ts";
import type { StreamProgress } from "./wire.ts";

/** What requests report before their first token, until a stream takes it. */
export class ProgressReports {
  readonly #reports: GenerationProgress[] = [];
  #wake: (() => void) | undefined;

  readonly add = (progress: GenerationProgress): void => {
    this.#reports.push(progress);
    this.#wake?.();
  };

  /** Resolves when there are reports. */
  async arrived(): Promise<void> {
    if (this.#reports.length === 0) await new Promise<void>((resolve) => (this.#wake = resolve));
  }

  take(): readonly GenerationProgress[] {
    return this.#reports.splice(0);
  }
}

/**
 * The same events, with one for each report that comes before the first of them.
 *
 * @param eventOf makes the event of a report
 * @throws what `events` throws
 */
export async function* withProgress<Event>(
  events: AsyncIterator<Event>,
  reports: ProgressReports,
  eventOf: (progress: StreamProgress) => Event,
): AsyncGenerator<Event, void, void> {
  const first = events.next();
  const settled = first.then(
    () => true,
    () => true,
  );
  while (!(await Promise.race([settled, reports.arrived().then(() => false)]))) {
    for (const progress of reports.take()) yield eventOf(wireProgress(progress));
  }
  for (let next = await first; !next.done; next = await events.next()) yield next.value;
}

function wireProgress(progress: GenerationProgress): StreamProgress {
  if (progress.stage !== "prompt") return progress;
  const { stage, cached: cached_tokens, computed: computed_tokens, total: total_tokens } = progress;
  return { stage, cached_tokens, computed_tokens, total_tokens };
}
