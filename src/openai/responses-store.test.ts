import { describe, expect, test } from "vitest";
import { ResponseStore, type StoredResponse } from "./responses-store.ts";
import type { InputMessage, OutputMessage, ResponseObject } from "./responses-wire.ts";

const said = (id: string, length = 0): OutputMessage => ({
  type: "message",
  id,
  status: "completed",
  role: "assistant",
  content: [{ type: "output_text", text: "x".repeat(length), annotations: [], logprobs: [] }],
});

const asked = (id: string, length = 0): InputMessage => ({
  type: "message",
  id,
  status: "completed",
  role: "user",
  content: [{ type: "input_text", text: "x".repeat(length) }],
});

const stored = (id: string, input: InputMessage[], output = [said(`${id} said`)]) =>
  ({ response: { id, output } as unknown as ResponseObject, input }) satisfies StoredResponse;

describe("the store", () => {
  test("keeps a limited number of responses, those that were used last", () => {
    const store = new ResponseStore({ responses: 2, characters: Infinity });
    store.put(stored("a", [asked("1")]));
    store.put(stored("b", [asked("2")]));
    expect(store.get("a")?.response.id).toBe("a");
    store.put(stored("c", [asked("3")]));
    expect(store.get("b")).toBeUndefined();
    expect(store.get("a")).toBeDefined();
    expect(store.get("c")).toBeDefined();
  });

  test("keeps a limited number of characters, but always the last response", () => {
    const store = new ResponseStore({ responses: 10, characters: 5000 });
    store.put(stored("a", [asked("1", 2000)]));
    store.put(stored("b", [asked("2", 2000)]));
    expect(store.get("a")).toBeDefined();
    store.put(stored("c", [asked("3", 2000)]));
    expect(store.get("b")).toBeUndefined();
    expect(store.get("a")).toBeDefined();
    store.put(stored("d", [asked("4", 9000)]));
    expect(store.get("a")).toBeUndefined();
    expect(store.get("c")).toBeUndefined();
    expect(store.get("d")).toBeDefined();
  });

  test("counts shared items once", () => {
    const store = new ResponseStore({ responses: 10, characters: 5000 });
    const image = asked("1", 3000);
    for (const id of ["a", "b", "c"]) store.put(stored(id, [image, asked(`${id} asked`)]));
    expect(store.get("a")).toBeDefined();
    store.delete("a");
    store.delete("b");
    expect(store.item("1")).toBe(image);
    store.delete("c");
    expect(store.item("1")).toBeUndefined();
    // They are gone completely: the store has its full capacity again.
    store.put(stored("d", [asked("2", 2000)]));
    store.put(stored("e", [asked("3", 2000)]));
    expect(store.get("d")).toBeDefined();
  });

  test("finds items of stored conversations", () => {
    const store = new ResponseStore();
    const answer = said("msg");
    store.put(stored("a", [asked("1")], [answer]));
    expect(store.item("msg")).toBe(answer);
    expect(store.delete("a")).toBe(true);
    expect(store.item("msg")).toBeUndefined();
    expect(store.delete("a")).toBe(false);
  });
});
