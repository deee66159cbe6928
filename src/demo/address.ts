import { SAMPLE } from "./catalogue.ts";

/** The model that the page's address asks for with `?model=`, or the sample. */
export function modelInAddress(): string {
  return new URLSearchParams(location.search).get("model")?.trim() || SAMPLE;
}

/** Makes a reload, or a link to this page, bring the same model. */
export function putModelInAddress(source: string): void {
  const url = new URL(location.href);
  if (source === SAMPLE) url.searchParams.delete("model");
  else url.searchParams.set("model", source);
  history.replaceState(null, "", url);
}
