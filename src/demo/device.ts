import { signal } from "@preact/signals";
import { isSoftware } from "../ops/matmul-variant.ts";
import { browserPlatform } from "../platform/browser.ts";
import { type CachedCheckpoint, listCached, STORE } from "../weights/cache.ts";
import type { Device } from "./fit.ts";

/** Undefined until it was looked at, and where there is no WebGPU. */
export const device = signal<Device | undefined>(undefined);

type Hints = Navigator & {
  readonly deviceMemory?: number;
  readonly userAgentData?: { readonly mobile: boolean };
};

/** Asks the browser what it tells; what is stored changes, so ask again when it matters. */
export async function lookAtDevice(): Promise<Device | undefined> {
  const { deviceMemory, userAgentData, userAgent, maxTouchPoints } = navigator as Hints;
  const [adapter, storageBytes, cached] = await Promise.all([
    orNothing(browserPlatform.requestAdapter),
    orNothing(freeStorage),
    orNothing(storedCheckpoints),
  ]);
  device.value = adapter && {
    software: isSoftware(adapter.info),
    maxBufferSize: adapter.limits.maxBufferSize,
    memoryGiB: deviceMemory,
    mobile: userAgentData?.mobile || isMobile(userAgent, maxTouchPoints),
    storageBytes,
    kept: (cached ?? [])
      .filter(({ storedBytes, totalBytes }) => storedBytes >= totalBytes)
      .map(({ id }) => id),
  };
  return device.value;
}

/** iPads call themselves Macs, which have no touch screens. */
export function isMobile(userAgent: string, touchPoints: number): boolean {
  return /Android|iPhone|iPad|Mobi/.test(userAgent) || (/Mac/.test(userAgent) && touchPoints > 1);
}

async function freeStorage(): Promise<number | undefined> {
  const { quota, usage = 0 } = await navigator.storage.estimate();
  return quota === undefined ? undefined : quota - usage;
}

async function storedCheckpoints(): Promise<CachedCheckpoint[]> {
  const store = browserPlatform.openStore(STORE);
  return store ? listCached(store) : [];
}

/** Browsers refuse such questions in private windows or on insecure pages. */
async function orNothing<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch {
    return undefined;
  }
}
