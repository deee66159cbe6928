import { inject } from "vitest";
import type { SharedName } from "./global-setup.ts";

/**
 * What all end-to-end tests share, made for the first that asks.
 *
 * @returns its value, as `global-setup.ts` says
 * @throws Error when it could not be made
 */
export async function shared(name: SharedName): Promise<string> {
  const response = await fetch(`${inject("shared")}/${name}`);
  const text = await response.text();
  if (!response.ok) throw new Error(`shared: making ${name} failed:\n${text}`);
  return text;
}

/** The address of the shared `webvlm serve`, without a slash at its end. */
export async function sharedServe(): Promise<string> {
  const [, url] = /^ready: (http\S+)\/v1 /.exec(await shared("serve")) ?? [];
  return url as string;
}
