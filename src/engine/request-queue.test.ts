import { describe, expect, test } from "vitest";
import { QueueFullError } from "./generation.ts";
import { RequestQueue } from "./request-queue.ts";

describe("Turns", () => {
  test("lets one in at a time, in order", async () => {
    const turns = new RequestQueue(8);
    const log: string[] = [];
    const work = async (name: string): Promise<void> => {
      const end = await turns.take();
      log.push(`${name} in`);
      await Promise.resolve();
      await Promise.resolve();
      log.push(`${name} out`);
      end();
    };
    await Promise.all([work("a"), work("b"), work("c")]);
    expect(log).toEqual(["a in", "a out", "b in", "b out", "c in", "c out"]);
    expect(turns.length).toBe(0);
  });

  test("one that gives up while waiting does not let the next in early", async () => {
    const turns = new RequestQueue(8);
    const end = await turns.take();
    const controller = new AbortController();
    const impatient = turns.take(controller.signal);
    let third = false;
    const patient = turns.take().then((endThird) => {
      third = true;
      endThird();
    });
    controller.abort(new Error("gone"));
    await expect(impatient).rejects.toThrow("gone");
    await Promise.resolve();
    expect(third).toBe(false);
    end();
    await patient;
    expect(third).toBe(true);
    expect(turns.length).toBe(0);
  });

  test("refuses more than it holds", async () => {
    const turns = new RequestQueue(1);
    const end = await turns.take();
    const second = turns.take();
    await expect(turns.take()).rejects.toBeInstanceOf(QueueFullError);
    end();
    (await second)();
    (await turns.take())();
  });
});
