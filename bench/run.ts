import { benchMatrix } from "./matrix/bench.ts";
import { benchModels } from "./model/bench.ts";

/** `npm run bench [-- matrix|model [part of a name]]` */
export async function main([part, select]: readonly string[]): Promise<number> {
  if (part !== "matrix") await benchModels(select);
  if (part !== "model") await benchMatrix(select);
  return 0;
}
