import type { DraftImage } from "./draft.ts";

/** @returns the unchanged file as a `data:` URL, as any client of the API sends it */
export function readImage(file: Blob, name: string): Promise<DraftImage> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve({ name, url: reader.result as string });
    reader.onerror = () => reject(new Error(`${name} could not be read.`));
    reader.readAsDataURL(file);
  });
}

export async function fetchImage(path: string, name: string): Promise<DraftImage> {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path} could not be loaded: HTTP ${response.status}.`);
  return readImage(await response.blob(), name);
}
