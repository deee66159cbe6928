import { describe, expect, test } from "vitest";
import { QueueFullError } from "./generation.ts";
import { RequestQueue } from "./request-queue.ts";

describe("RequestQueue", () => {
  test("admits one request at a time, in order", async () => {
    const queue = new RequestQueue(8);
    const log: string[] = [];
    const work = async (name: string): Promise<void> => {
      const release = await queue.acquire();
      log.push(`${name} in`);
      await Promise.resolve();
      await Promise.resolve();
      log.push(`${name} out`);
      release();
    };
    await Promise.all([work("a"), work("b"), work("c")]);
    expect(log).toEqual(["a in", "a out", "b in", "b out", "c in", "c out"]);
    expect(queue.length).toBe(0);
  });

  test("a request that aborts while it waits does not let the next one in early", async () => {
    const queue = new RequestQueue(8);
    const release = await queue.acquire();
    const controller = new AbortController();
    const aborted = queue.acquire(controller.signal);
    let isThirdIn = false;
    const third = queue.acquire().then((releaseThird) => {
      isThirdIn = true;
      releaseThird();
    });
    controller.abort(new Error("gone"));
    await expect(aborted).rejects.toThrow("gone");
    await Promise.resolve();
    expect(isThirdIn).toBe(false);
    release();
    await third;
    expect(isThirdIn).toBe(true);
    expect(queue.length).toBe(0);
  });

  test("rejects requests beyond its capacity", async () => {
    const queue = new RequestQueue(1);
    const release = await queue.acquire();
    const second = queue.acquire();
    await expect(queue.acquire()).rejects.toThrow(
      new QueueFullError("RequestQueue.acquire: the queue is full, 1 requests wait"),
    );
    release();
    (await second)();
    (await queue.acquire())();
  });
});
