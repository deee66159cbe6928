import { afterAll, beforeAll, expect, test } from "vitest";
import { memoryStore } from "../../../tests/checkpoint.ts";
import { ggufFile } from "../../../tests/gguf-file.ts";
import { UNPACKED } from "../../../tests/goldens/paths.ts";
import { type HubServer, readFolder, startHub } from "../../../tests/hub-server.ts";
import { ggufReader } from "../../models/gguf/reader.ts";
import { nodeHash } from "../../platform/node-hash.ts";
import { type OpenOptions, openCheckpoint } from "../checkpoint.ts";
import { resolveSource } from "../source.ts";

const NAME = "org/tiny-GGUF";
const FILE = "TinySmolVLM-Q4_K_M.gguf";
const MMPROJ = "mmproj-TinySmolVLM-Q8_0.gguf";

let hub: HubServer;
beforeAll(async () => {
  hub = await startHub({ [NAME]: readFolder(`${UNPACKED}/gguf/smolvlm`) });
});
afterAll(() => hub.close());

function open(source: string, options: OpenOptions = {}) {
  hub.requests.length = 0;
  const gguf = async () => ggufReader;
  const all = { gguf, hash: nodeHash, retries: 1, ...options };
  return openCheckpoint(resolveSource(source, { hub: hub.url }), all);
}

test("a tag chooses a file of a repository, whose header alone is read", async () => {
  const checkpoint = await open(`${NAME}:q4_k_m`);
  expect(checkpoint.files["config.json"]).toMatchObject({ model_type: "smolvlm" });
  expect(checkpoint.tensors.get("lm_head.weight")).toMatchObject({ dtype: "Q6_K", file: FILE });
  expect(checkpoint.weightBytes).toBeGreaterThan(900_000);
  const paths = hub.requests.map(({ path }) =>
    path
      .replace(/\?signature.*/, "")
      .split("/")
      .at(-1),
  );
  expect([...new Set(paths)].sort()).toEqual([FILE, "main?blobs=true", MMPROJ]);
});

test("a checkpoint that is stored completely needs no network", async () => {
  const store = memoryStore();
  const first = await open(`${NAME}:Q4_K_M`, { store });
  let bytes = 0;
  for await (const piece of first.stream()) bytes += piece.bytes.length;
  expect(bytes).toBeGreaterThan(first.weightBytes);
  const second = await open(`${NAME}:Q4_K_M`, { store });
  for await (const piece of second.stream()) expect(piece.network).toBe(false);
  expect(hub.requests).toEqual([]);
  expect([...second.tensors]).toEqual([...first.tensors]);
});

test("a server without a list of files is asked for the usual names of mmproj files", async () => {
  const { tensors } = await open(`${hub.url}/folders/${NAME}/${FILE}`);
  expect(new Set([...tensors.values()].map(({ file }) => file))).toEqual(new Set([FILE, MMPROJ]));
});

test("a server without ranges sends files that are shorter than what a header may take", async () => {
  hub.faults.ignoreRange = true;
  const { tensors } = await open(`${hub.url}/folders/${NAME}/${FILE}`);
  delete hub.faults.ignoreRange;
  expect(new Set([...tensors.values()].map(({ file }) => file))).toEqual(new Set([FILE, MMPROJ]));
});

test.each([
  [NAME, `GGUF files: load ${NAME}:Q4_K_M`],
  [`${NAME}:Q8_0`, "it has the tags Q4_K_M"],
  [`${NAME}:Q2_K`, "it has the tags Q4_K_M"],
])("%s: the error lists what can be loaded", async (source, message) => {
  await expect(open(source)).rejects.toThrow(message);
});

test("types and families that can't be read are named", async () => {
  const files = hub.repositories[NAME]!;
  const data = new Uint8Array(98);
  const tensors = { "token_embd.weight": { type: 11, shape: [1, 256], data } };
  hub.repositories["org/odd"] = {
    "m-Q3_K.gguf": ggufFile({ "general.architecture": "llama" }, tensors),
    "m-Q4_0.gguf": ggufFile({ "general.architecture": "mamba" }),
    "mmproj-F16.gguf": files[MMPROJ]!,
  };
  await expect(open("org/odd:Q3_K")).rejects.toThrow(
    "m-Q3_K.gguf: token_embd.weight is Q3_K, supported: F32, F16, Q4_0",
  );
  await expect(open("org/odd:Q4_0")).rejects.toThrow(
    "general.architecture is mamba and clip.projector_type idefics3, supported in GGUF: llama with",
  );
});

test("a file that is cut off is damaged", async () => {
  const files = hub.repositories[NAME]!;
  hub.repositories["org/cut"] = {
    [FILE]: files[FILE]!.subarray(0, 500_000),
    [MMPROJ]: files[MMPROJ]!,
  };
  await expect(open("org/cut:Q4_K_M")).rejects.toThrow(`${FILE} has 500000 bytes, its header says`);
});
