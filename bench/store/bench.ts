import { withPage } from "../open-page.ts";
import type * as store from "./page.ts";
import type { Place, StoreSpeed } from "./worker.ts";

declare global {
  interface Window {
    readonly store: typeof store;
  }
}

const MIB = 2 ** 20;
const TOTAL_MIB = 256;
const CHUNKS_MIB = [1, 8, 32];
const PLACES: readonly Place[] = ["files", "database"];
const ROUNDS = 3;

/**
 * Measures the two places of the library's store: files of the origin's private file system, and
 * IndexedDB, in a worker, with chunks of several sizes. Prints the fastest of a few rounds, in which the
 * places take turns. What is read was just written, so it comes from memory as far as the system keeps it.
 */
export async function benchStore(): Promise<void> {
  await withPage("bench/store/index.html", "store", async (page) => {
    console.log(row("MiB/s", "chunk", "write", "read", "read four"));
    for (const mib of CHUNKS_MIB) {
      const best = new Map<Place, StoreSpeed>();
      for (let round = 0; round < ROUNDS; round++) {
        for (const place of PLACES) {
          const speed = await page.evaluate(
            ([place, chunk, total]) => window.store.measureStore(place, chunk, total),
            [place, mib * MIB, TOTAL_MIB * MIB] as const,
          );
          best.set(place, fastest(best.get(place) ?? speed, speed));
        }
      }
      for (const [place, { write, read, readFour }] of best) {
        console.log(row(place, `${mib} MiB`, ...[write, read, readFour].map(mibPerSecond)));
      }
    }
  });
}

function fastest(a: StoreSpeed, b: StoreSpeed): StoreSpeed {
  const most = (name: keyof StoreSpeed) => Math.max(a[name], b[name]);
  return { write: most("write"), read: most("read"), readFour: most("readFour") };
}

const mibPerSecond = (bytesPerMs: number): string => ((bytesPerMs * 1000) / MIB).toFixed(0);

function row(first: string, ...cells: readonly string[]): string {
  return first.padEnd(12) + cells.map((cell) => cell.padStart(11)).join("");
}
