import { describe, expect, test } from "vitest";
import { memoryStore, safetensors } from "../../tests/checkpoint.ts";
import {
  INDEX,
  NAME,
  SHARDS,
  SMALL,
  WEIGHTS,
  encode,
  hub,
  isWhole,
  offline,
  open,
  openFolder,
  read,
  startHubs,
  tensor,
} from "../../tests/hub-checkpoint.ts";
import { InterruptedError } from "./retry.ts";

startHubs();

describe("openCheckpoint", () => {
  test("reads the small files and the positions of the tensors", async () => {
    const checkpoint = await open();
    expect(checkpoint.id).toBe(NAME);
    expect(checkpoint.files).toEqual({
      "config.json": { model_type: "test" },
      "tokenizer.json": { version: "1.0" },
      "chat_template.jinja": "{{ messages }}",
    });
    expect([...checkpoint.tensors.keys()]).toEqual(["a", "b"]);
    expect(checkpoint.weightBytes).toBe(140_001 * 4);
    const { files } = await read(checkpoint);
    expect(isWhole(files["model.safetensors"], WEIGHTS)).toBe(true);
  });

  test("reads a folder without requests for files that it need not have", async () => {
    hub.repositories[NAME]!["tokenizer_config.json"] = encode({ chat_template: "…" });
    const checkpoint = await openFolder();
    expect(checkpoint.id).toBe("model");
    expect(isWhole((await read(checkpoint)).files["model.safetensors"], WEIGHTS)).toBe(true);
    const paths = hub.requests.map(({ path }) => path.split("/").at(-1));
    expect(paths).not.toContain("vocab.json");
    expect(paths).not.toContain("model.safetensors.index.json");
  });

  test.each(["hub", "folder"])("reads shards from a %s", async (kind) => {
    hub.repositories[NAME] = {
      ...SMALL,
      ...SHARDS,
      "model.safetensors.index.json": encode({ weight_map: INDEX }),
    };
    const checkpoint = await (kind === "hub" ? open() : openFolder());
    expect([...checkpoint.tensors].map(([name, { file }]) => [name, file])).toEqual(
      Object.entries(INDEX),
    );
    const { files } = await read(checkpoint);
    expect(Object.keys(files)).toEqual(Object.keys(SHARDS));
    for (const [name, file] of Object.entries(SHARDS))
      expect(isWhole(files[name], file)).toBe(true);
  });

  test.each(["hub", "folder"])(
    "reads the chat templates of a %s wherever they are",
    async (kind) => {
      const templates: Record<string, unknown> = {
        "tokenizer_config.json": { chat_template: "tokenizer" },
        "processor_config.json": { chat_template: "processor" },
        "chat_template.json": { chat_template: "legacy" },
        "chat_template.jinja": "plain",
        "additional_chat_templates/tool_use.jinja": "tools",
      };
      for (const [name, content] of Object.entries(templates)) {
        const bytes =
          typeof content === "string" ? Buffer.from(content) : encode(content as object);
        hub.repositories[NAME]![name] = bytes;
      }
      const { files } = await (kind === "hub" ? open() : openFolder());
      expect(files).toMatchObject(templates);
    },
  );

  test.each(["hub", "folder"])("reads a tokenizer of a %s in two files", async (kind) => {
    const files = hub.repositories[NAME]!;
    delete files["tokenizer.json"];
    Object.assign(files, { "vocab.json": encode({ a: 0 }), "merges.txt": Buffer.from("a b\n") });
    const checkpoint = await (kind === "hub" ? open() : openFolder());
    expect(checkpoint.files).toMatchObject({ "vocab.json": { a: 0 }, "merges.txt": "a b\n" });
    delete files["merges.txt"];
    await expect(kind === "hub" ? open() : openFolder()).rejects.toThrow("merges.txt");
  });

  test("reads the numbers that Python writes into JSON", async () => {
    const text = '{"a": [-Infinity, NaN, Infinity], "b": "say \\"NaN\\", Infinity", "c": 1e-6}';
    hub.repositories[NAME]!["config.json"] = Buffer.from(text);
    expect((await open()).files["config.json"]).toEqual({
      a: [-Infinity, NaN, Infinity],
      b: 'say "NaN", Infinity',
      c: 1e-6,
    });
  });

  test("a tensor of two files is that of the file in the index, and absent ones are not missed", async () => {
    const [one, two] = Object.keys(SHARDS) as [string, string];
    const other = tensor(3, 9);
    hub.repositories[NAME] = {
      ...SMALL,
      [one]: safetensors({ a: tensor(4, 1), b: other }),
      [two]: safetensors({ b: tensor(5, 2), a: other }),
      "model.safetensors.index.json": encode({
        weight_map: { a: one, b: two, "mtp.fc.weight": two },
      }),
    };
    const store = memoryStore();
    for (const options of [{}, { store }, { store }]) {
      const checkpoint = await open(options);
      const found = [...checkpoint.tensors].map(([name, { file, shape }]) => [
        name,
        file,
        shape[0],
      ]);
      expect(found.sort()).toEqual([
        ["a", one, 4],
        ["b", two, 5],
      ]);
      await read(checkpoint);
    }
  });

  test("treats an HTML page as a missing file, because servers of one-page apps answer so", async () => {
    const fetchPage: typeof fetch = async (input, init) => {
      const response = await fetch(input, init);
      if (response.status !== 404) return response;
      return new Response("<!doctype html>", { headers: { "content-type": "text/html" } });
    };
    expect(Object.keys((await openFolder({ fetch: fetchPage })).files)).toHaveLength(3);
    delete hub.repositories[NAME]!["config.json"];
    await expect(openFolder({ fetch: fetchPage })).rejects.toThrow("no transformers checkpoint");
  });

  test.each([
    ["no-such/model", "there is no repository no-such/model at http"],
    ["org/model@v9", 'org/model has no revision "v9": its branches, tags and commits are at http'],
    ["org/empty", "no transformers checkpoint"],
    ["org/no-weights", "model.safetensors.index.json answered"],
    ["org/bad-json", "tokenizer.json is not JSON"],
    ["org/bad-weights", "model.safetensors is no safetensors file"],
    ["org/short", "is damaged"],
    ["org/traversal", '"../../x.safetensors", expected a file name'],
    ["org/adapter", "it is an adapter: merge it into its model"],
    ["org/gguf", "but GGUF files: load org/gguf:Q4_K_M"],
    ["org/twice", "a is in 1.safetensors and in 2.safetensors"],
  ])("the error for %s says what is wrong", async (source, message) => {
    const index = (weight_map: object) => ({
      ...SMALL,
      ...SHARDS,
      "model.safetensors.index.json": encode({ weight_map }),
    });
    const one = safetensors({ a: tensor(1, 1) });
    Object.assign(hub.repositories, {
      "org/empty": { "README.md": encode("") },
      "org/no-weights": SMALL,
      "org/adapter": { "adapter_config.json": encode({}), "adapter_model.bin": one },
      "org/gguf": { ...SMALL, "model-Q4_K_M.gguf": one },
      "org/bad-json": { ...SMALL, "tokenizer.json": Buffer.from("{"), "model.safetensors": one },
      "org/bad-weights": { ...SMALL, "model.safetensors": new Uint8Array(100).fill(255) },
      "org/short": { ...SMALL, "model.safetensors": WEIGHTS.subarray(0, -1) },
      "org/traversal": index({ a: "../../x.safetensors" }),
      "org/twice": {
        ...index({ c: "1.safetensors", b: "2.safetensors" }),
        "1.safetensors": one,
        "2.safetensors": safetensors({ a: tensor(1, 1), b: tensor(1, 1) }),
      },
    });
    await expect(open({}, source)).rejects.toThrow(message);
  });

  test("needs a token for a gated repository, and sends it to hubs only", async () => {
    hub.faults.token = "secret";
    const terms = `accept its terms at ${hub.url}/${NAME}, and load it with a \`token\``;
    await expect(open()).rejects.toThrow(terms);
    await expect(open({ token: "wrong" })).rejects.toThrow(terms);
    expect((await read(await open({ token: "secret" }))).networkBytes).toBe(WEIGHTS.length);
    hub.faults.token = undefined!;
    hub.requests.length = 0;
    await openFolder({ token: "secret" });
    expect(hub.requests.some(({ authorization }) => authorization)).toBe(false);
  });

  test.each([
    [
      401,
      "the hub refuses access: the repository is private or gated, or the `token` is not valid",
    ],
    [403, "the hub refuses access"],
    [500, "the server can't answer at the moment: load again later"],
    [429, "too many requests: the server answers again in about 5 min. Load again then, with a"],
  ])("a hub that answers every request with %i", async (status, message) => {
    const refusing: typeof fetch = async () => new Response(null, { status });
    await expect(open({ fetch: refusing })).rejects.toThrow(message);
    await expect(openFolder({ fetch: refusing })).rejects.toThrow(`(${hub.url}/folders/${NAME}/`);
  });

  test("gives up on a server that can't be reached", async () => {
    const failed = open({ fetch: offline });
    await expect(failed).rejects.toThrow(InterruptedError);
    await expect(failed).rejects.toThrow("can't be reached: check that this device is online");
  });
});
