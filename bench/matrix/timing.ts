/** A matrix product on the GPU, from buffer to buffer. */
export interface Contender {
  /** Queues one product. */
  run(): void | Promise<void>;
  /** Resolves when all queued products are done. */
  done(): Promise<unknown>;
  /** The product of the last run. */
  read(): Promise<Float32Array>;
  dispose(): void;
}

/** The least duration of a sample. */
const SAMPLE_MS = 40;
/** About the duration of all samples of a product. */
const BUDGET_MS = 4000;
const MIN_ROUNDS = 3;
const MAX_ROUNDS = 15;

async function sample(contender: Contender, runs: number): Promise<number> {
  const begin = performance.now();
  for (let i = 0; i < runs; i++) await contender.run();
  await contender.done();
  return (performance.now() - begin) / runs;
}

/**
 * Times contenders alternately (A B A B ...), so that other load on the machine affects all alike.
 *
 * @returns the median of each, in milliseconds per run
 */
export async function race(contenders: readonly Contender[]): Promise<number[]> {
  const runs: number[] = [];
  for (const contender of contenders) {
    await sample(contender, 1);
    runs.push(Math.max(1, Math.ceil(SAMPLE_MS / (await sample(contender, 1)))));
  }
  const times = contenders.map((): number[] => []);
  const begin = performance.now();
  for (let round = 0; round < MAX_ROUNDS; round++) {
    if (round >= MIN_ROUNDS && performance.now() - begin > BUDGET_MS) break;
    for (const [i, contender] of contenders.entries()) {
      times[i]!.push(await sample(contender, runs[i]!));
    }
  }
  return times.map(median);
}

function median(values: number[]): number {
  values.sort((a, b) => a - b);
  const middle = values.length >> 1;
  return values.length % 2 ? values[middle]! : (values[middle - 1]! + values[middle]!) / 2;
}
