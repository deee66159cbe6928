import type { BrowserContext, Page } from "playwright";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Site, openSite } from "./browser.ts";
import { shared } from "./shared.ts";

let site: Site;
let context: BrowserContext;
let page: Page;
beforeAll(async () => {
  site = await openSite();
});

/** The tests that follow use one page, in their order. A software adapter takes seconds to load a model. */
function onOnePage(): void {
  beforeAll(async () => {
    context = await site.browser.newContext();
  });
  afterAll(() => context.close());
}

const status = (page: Page) => page.getByRole("status");
const lastAnswer = (page: Page) => page.getByRole("article", { name: "Answer" }).last();

const ready = (page: Page) => status(page).getByText("Sample model is ready.").waitFor();

async function ask(page: Page, question: string): Promise<void> {
  await page.getByRole("textbox", { name: "Message" }).fill(question);
  await page.getByRole("button", { name: "Send" }).click();
}

/** Drops an image of the goldens onto the page, like a file from the desktop. */
async function drop(page: Page, name: string): Promise<void> {
  const dataTransfer = await page.evaluateHandle(async (name) => {
    const response = await fetch(`/e2e/goldens/sample/${name}`);
    const transfer = new DataTransfer();
    transfer.items.add(new File([await response.blob()], name, { type: "image/png" }));
    return transfer;
  }, name);
  await page.dispatchEvent("main", "drop", { dataTransfer });
  await page.getByRole("button", { name: `Image 1, ${name}` }).waitFor();
}

const finished = (page: Page) => page.locator('article[data-role="assistant"][aria-busy="false"]');

/** @returns the text of the last answer, once it is complete */
async function answered(page: Page, count = 1): Promise<string> {
  await finished(page)
    .nth(count - 1)
    .waitFor();
  return (await lastAnswer(page).locator(".answer-text").innerText()).trim();
}

describe("the page", () => {
  onOnePage();

  test("cancels loading, and starts it again", async () => {
    page = await context.newPage();
    await context.route("**/*.safetensors", () => {}); // Stays without an answer.
    await page.goto(site.url);
    const loading = page.getByRole("region", { name: "Loading the model" });
    await loading.getByRole("button", { name: "Cancel" }).click();
    await status(page).getByText("No model is loaded.").waitFor();
    await context.unroute("**/*.safetensors");
    await page.getByRole("button", { name: "Load the sample model" }).click();
  });

  test("answers a question about a dropped image, and then a second question", async () => {
    await drop(page, "circle-and-star.png");
    await ask(page, "What is in this image?"); // The model still loads.
    expect(await answered(page)).toBe("A red circle and a small blue star.");
    await ask(page, "What color is the star?");
    expect(await answered(page, 2)).toBe("The star is blue.");
  });

  test("loads the model from this device after a reload", async () => {
    const requested: string[] = [];
    await context.route("**/models/sample/**", (route) => {
      requested.push(route.request().url());
      return route.abort();
    });
    await page.reload();
    await drop(page, "word-cat.png");
    await ask(page, "What does it say?");
    expect(await answered(page)).toBe('It says "CAT".');
    expect(requested.filter((url) => url.endsWith(".safetensors"))).toEqual([]);
  });
});

describe("the page of another model", () => {
  onOnePage();

  test("says that a model does not exist, and offers the sample model", async () => {
    page = await site.open("?model=./models/nothing-here", context);
    await page.getByRole("alert").getByText("nothing-here").first().waitFor();
    await page.getByRole("button", { name: "Use the sample model" }).click();
    await ready(page);
  });

  test("stops an answer in the middle, and completes the next one", async () => {
    // The page waits after the first word, so that Stop always comes before the end.
    await page.evaluate(() => {
      const prototype = ReadableStreamDefaultReader.prototype;
      const { read } = prototype;
      let hasWord = false;
      prototype.read = async function (this: ReadableStreamDefaultReader<{ data?: string }>) {
        if (!hasWord) {
          const result = await read.call(this);
          hasWord = /"content":"[^"]/.test(result.value?.data ?? "");
          return result;
        }
        prototype.read = read;
        return new Promise((_, reject) => {
          this.closed.catch(reject); // Like any pending read when the fetch is aborted.
        });
      };
    });
    await drop(page, "four-shapes.png");
    await ask(page, "Describe this image.");
    await page.waitForFunction(
      () => (document.querySelector(".answer-text")?.textContent ?? "").length > 0,
    );
    await page.getByRole("button", { name: "Stop" }).click();
    await lastAnswer(page).getByText("Stopped.").waitFor();
    const whole = "A green triangle, a small pink heart, an orange square and a small purple moon.";
    const part = await answered(page);
    expect(part.length).toBeLessThan(whole.length);
    expect(whole.startsWith(part)).toBe(true);

    await page.getByRole("button", { name: "Regenerate" }).click();
    await page.waitForFunction((text) => document.body.innerText.includes(text), whole);
  });

  test("lists what is stored, with its size, and deletes it", async () => {
    await page.getByRole("button", { name: "Model: Sample model" }).click();
    await page.getByRole("button", { name: "Manage what is stored" }).click();
    const stored = page.getByRole("list", { name: "Stored models" }).getByRole("listitem");
    await stored.waitFor();
    expect(await stored.innerText()).toMatch(/sample\s+13\.\d MB\s+BF16 · used /);
    await page.getByText(/This page uses 1\d\.\d MB of the /).waitFor();
    await page.getByRole("button", { name: "Delete sample" }).click();
    await page.getByText("No model is stored.").waitFor();
    await page.getByRole("button", { name: "Done" }).click();
  });

  test("loads a folder that is dropped on the page, in place, and stores nothing of it", async () => {
    await context.route("**/*.safetensors", () => {}); // The server has no weights.
    const cdp = await context.newCDPSession(page);
    // As `webvlm convert` wrote it: its weights are packed.
    const folder = await shared("converted");
    const at = { x: 300, y: 300, data: { items: [], files: [folder], dragOperationsMask: 1 } };
    for (const type of ["dragEnter", "dragOver", "drop"] as const) {
      await cdp.send("Input.dispatchDragEvent", { ...at, type });
    }
    await status(page).getByText("sample-q8 is ready.").waitFor();
    await page.getByRole("button", { name: "New chat" }).click();
    await drop(page, "word-cat.png");
    await ask(page, "What does it say?");
    expect(await answered(page)).toBe('It says "CAT".');
    await page.getByRole("button", { name: "Model: sample-q8" }).click();
    await page.getByRole("button", { name: "Manage what is stored" }).click();
    const folders = page.getByRole("list", { name: "Folders" }).getByRole("listitem");
    expect(await folders.innerText()).toContain("read in place");
    await page.getByText("No model is stored.").waitFor();
  });
});
