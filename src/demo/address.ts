import { SAMPLE } from "./catalogue.ts";

/** @returns the model of `?model=` in the page's address, else the sample */
export function modelInAddress(): string {
  return new URLSearchParams(location.search).get("model")?.trim() || SAMPLE;
}

/** Puts a model into the page's address, for reloads and links. */
export function putModelInAddress(source: string): void {
  const url = new URL(location.href);
  if (source === SAMPLE) url.searchParams.delete("model");
  else url.searchParams.set("model", source);
  history.replaceState(null, "", url);
}
