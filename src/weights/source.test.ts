import { describe, expect, test } from "vitest";
import { fileUrl, resolveSource } from "./source.ts";

const base = "https://page.example/demo/index.html";

describe("resolveSource", () => {
  test.each([
    ["org/name", "org/name", "https://huggingface.co/org/name/resolve/main/"],
    [" org/na.me-2@v1 ", "org/na.me-2", "https://huggingface.co/org/na.me-2/resolve/v1/"],
    ["org/name@refs/pr/1", "org/name", "https://huggingface.co/org/name/resolve/refs%2Fpr%2F1/"],
    [
      "https://huggingface.co/org/name",
      "org/name",
      "https://huggingface.co/org/name/resolve/main/",
    ],
    ["https://hf.co/org/name/", "org/name", "https://huggingface.co/org/name/resolve/main/"],
    [
      "https://huggingface.co/org/name/tree/v2?x=1#files",
      "org/name",
      "https://huggingface.co/org/name/resolve/v2/",
    ],
    [
      "https://huggingface.co/org/name/blob/v2/model.safetensors",
      "org/name",
      "https://huggingface.co/org/name/resolve/v2/",
    ],
    ["/models/sample", "sample", "https://page.example/models/sample/"],
    ["./models/sample/", "sample", "https://page.example/demo/models/sample/"],
    ["../sample", "sample", "https://page.example/sample/"],
    ["https://cdn.example/a/my%20model", "my model", "https://cdn.example/a/my%20model/"],
    ["https://cdn.example/a/m/config.json", "m", "https://cdn.example/a/m/"],
    ["https://cdn.example/m?key=1", "m", "https://cdn.example/m/?key=1"],
    ["https://cdn.example", "cdn.example", "https://cdn.example/"],
    // A space or a data set is resolved like any folder, and fails when it is read.
    ["https://huggingface.co/spaces/org/name", "name", "https://huggingface.co/spaces/org/name/"],
  ])("%s", (source, id, folder) => {
    expect(resolveSource(source, { base })).toMatchObject({ id, folder });
  });

  test("takes another hub and another revision", () => {
    const options = { hub: "http://localhost:8080/mirror/", revision: "v3" };
    expect(resolveSource("org/name", options)).toEqual({
      id: "org/name",
      folder: "http://localhost:8080/mirror/org/name/resolve/v3/",
      repository: { hub: "http://localhost:8080/mirror", name: "org/name", revision: "v3" },
    });
    expect(resolveSource("http://localhost:8080/mirror/org/name", options).id).toBe("org/name");
    expect(resolveSource("org/name@v4", options).repository?.revision).toBe("v4");
  });

  test.each(["", "name", "a/b/c", "org/name@", "org/name@a b", "../", "https://", "org/ name"])(
    'lists the accepted forms for "%s"',
    (source) => {
      expect(() => resolveSource(source)).toThrow(/resolveSource: .*(org\/name|base URL)/);
    },
  );

  const HUB = "https://huggingface.co/org/name";
  test.each([
    ["org/name:Q4_K_M", "org/name:Q4_K_M", "Q4_K_M", `${HUB}/resolve/main/#Q4_K_M`, "main"],
    ["org/name@v1:Q8_0", "org/name:Q8_0", "Q8_0", `${HUB}/resolve/v1/#Q8_0`, "v1"],
  ])("a tag of a repository: %s", (source, id, tag, folder, revision) => {
    const resolved = resolveSource(source);
    expect(resolved).toMatchObject({ id, folder, gguf: { tag }, repository: { revision } });
    expect(fileUrl(resolved, "a.gguf")).toBe(`${HUB}/resolve/${revision}/a.gguf`);
  });

  test.each([
    [`${HUB}/blob/v1/BF16/m%20a.gguf`, "BF16/m a.gguf", `${HUB}/resolve/v1/#BF16%2Fm%20a.gguf`],
    [
      "https://cdn.example/a/m-Q4_0.gguf?key=1",
      "m-Q4_0.gguf",
      "https://cdn.example/a/?key=1#m-Q4_0.gguf",
    ],
    ["./models/m.gguf", "m.gguf", "https://page.example/demo/models/#m.gguf"],
  ])("a GGUF file: %s", (source, file, folder) => {
    expect(resolveSource(source, { base })).toMatchObject({ folder, gguf: { file } });
  });

  test("files of one folder are kept apart in the store", () => {
    const folders = ["org/name", "org/name:Q4_0", "org/name:Q8_0"].map(
      (source) => resolveSource(source).folder,
    );
    expect(new Set(folders).size).toBe(3);
  });
});

describe("fileUrl", () => {
  test("has the revision, or a commit", () => {
    const source = resolveSource("org/name");
    expect(fileUrl(source, "a.json")).toBe("https://huggingface.co/org/name/resolve/main/a.json");
    expect(fileUrl(source, "a.json", "c0ffee")).toBe(
      "https://huggingface.co/org/name/resolve/c0ffee/a.json",
    );
  });

  test("keeps a folder's query", () => {
    const source = resolveSource("https://cdn.example/m?key=1");
    expect(fileUrl(source, "a.json", "c0ffee")).toBe("https://cdn.example/m/a.json?key=1");
  });
});
