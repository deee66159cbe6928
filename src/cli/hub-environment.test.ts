import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { hubEnvironment } from "./hub-environment.ts";

test("without variables, the Python client's defaults hold", () => {
  const { hub, cache, offline } = hubEnvironment({});
  expect(hub).toBe("https://huggingface.co");
  expect(cache).toMatch(/huggingface[\\/]hub$/);
  expect(offline).toBe(false);
});

test.each([
  [{ HF_HOME: "/data/hf" }, "/data/hf/hub"],
  [{ HF_HOME: "~/hf" }, join(homedir(), "hf/hub")],
  [{ HF_HOME: "/data/hf", HF_HUB_CACHE: "/data/cache" }, "/data/cache"],
  [{ HUGGINGFACE_HUB_CACHE: "/data/old" }, "/data/old"],
])("%o keeps repositories in %s", (env, cache) => {
  expect(hubEnvironment(env).cache).toBe(cache);
});

test("endpoint, token and offline", () => {
  const env = { HF_ENDPOINT: "https://hub.example/", HF_TOKEN: " t ", HF_HUB_OFFLINE: "1" };
  const told = { hub: "https://hub.example", token: "t", offline: true };
  expect(hubEnvironment(env)).toMatchObject(told);
});

test("the token of `hf auth login` is found", () => {
  const home = mkdtempSync(join(tmpdir(), "webvlm-hf-"));
  writeFileSync(join(home, "token"), "kept\n");
  expect(hubEnvironment({ HF_HOME: home }).token).toBe("kept");
  expect(hubEnvironment({ HF_HOME: home, HF_TOKEN: "own" }).token).toBe("own");
  expect(hubEnvironment({ HF_TOKEN_PATH: join(home, "not") }).token).toBeUndefined();
  rmSync(home, { recursive: true });
});
