import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type HubServer, readFolder, startHub } from "../tests/hub-server.ts";
import { type CodeBlock, codeBlocks, nameOf } from "./code-blocks.ts";
import { type DocsPage, type DocsPageOptions, type DocsSite, openDocsSite } from "./page-blocks.ts";
import { ROOT } from "./root.ts";
import { shared } from "./shared.ts";
import { type Terminal, lacking, openTerminal } from "./terminal-blocks.ts";

/**
 * Runs the code of the documentation as it is written, each page's blocks in order. The output of a
 * block must equal the `text` block after it. A block that can't run has a comment before it with the
 * reason: `<!-- not run: it needs … -->`. `upstream.e2e.ts` runs `docs/upstream.md`.
 */

let site: DocsSite;
let command: string;
beforeAll(async () => {
  site = await openDocsSite();
  command = await shared("command");
});
afterAll(() => site.close());

interface Running {
  /** Where `js` runs: in a page of the browser (the default), or in Node. */
  readonly js?: "page" | "node";
  readonly page?: DocsPageOptions;
  /** Outputs of blocks without a `text` block, by the block's first line. */
  readonly outputs?: Readonly<Record<string, string>>;
}

/** Tests the blocks of a documentation page. `html` and `js` run in a page, others in a terminal. */
function runs(path: string, { js = "page", page: options = {}, outputs = {} }: Running = {}) {
  const all = codeBlocks(path);
  const blocks = all.filter(({ language }) => language !== "http");
  const runsInPage = ({ language, title }: CodeBlock): boolean =>
    title !== undefined || language === "html" || (language === "js" && js === "page");

  describe(path, () => {
    let page: DocsPage;
    let terminal: Terminal;
    beforeAll(async () => {
      terminal = await openTerminal(command);
      const change = (code: string) => terminal.addressed(code);
      page = await site.open({ headers: headersOf(all), change, ...options });
    });
    afterAll(async () => {
      await page.close();
      await terminal.close();
    });

    test("has code", () => expect(blocks.length).toBeGreaterThan(0));

    for (const [i, block] of blocks.entries()) {
      const lacks = runsInPage(block) ? undefined : lacking(block);
      const why = lacks ? ` (skipped, ${lacks})` : "";
      test.skipIf(block.notRun !== undefined || lacks)(nameOf(block, i) + why, async () => {
        const [first = ""] = block.code.split("\n");
        const expected = (block.output ?? outputs[first])?.trim();
        if (runsInPage(block)) {
          expect((await page.run(block)).trim()).toBe(expected ?? "");
          return;
        }
        const { code, stdout, stderr } = await terminal.run(block);
        if (first.includes("webvlm ask")) {
          expect(stderr).toMatch(/^GPU: \S/);
          if (process.env.WEBVLM_GPU !== "1") expect(stderr).toContain("software adapter");
          expect(stderr).toContain("loading: 100%");
        }
        // Everything but the answer goes to stderr.
        expect([code, stderr.replace(/^(GPU|This is|loading|auto).*\n/gm, "")]).toEqual([0, ""]);
        if (expected === undefined) expect(stdout.trim()).not.toBe("");
        else expect(stdout.trim()).toBe(expected);
      });
    }
  });
}

/** The headers of a page's `http` blocks. */
function headersOf(blocks: readonly CodeBlock[]): Record<string, string> {
  const lines = blocks
    .filter(({ language }) => language === "http")
    .flatMap(({ code }) => code.trim().split("\n"));
  return Object.fromEntries(lines.map((line) => line.split(/: (.*)/s).slice(0, 2)));
}

runs("docs/in-a-page.md");
runs("docs/service-worker.md");
runs("docs/terminal.md", { js: "node" });

describe("with the sample model in place of the hub's", () => {
  const name = "HuggingFaceTB/SmolVLM2-500M-Video-Instruct";
  let hub: HubServer;
  beforeAll(async () => {
    hub = await startHub({ [name]: readFolder(join(ROOT, "public/models/sample")) });
  });
  afterAll(() => hub.close());

  runs("README.md", {
    page: {
      // The text around the code gives it.
      before: `
        import OpenAI from "openai";
        const url = "/photo.jpg";
        const messages = [{ role: "user", content: [{ type: "image_url", image_url: { url } }] }];
        const show = (text = "") => globalThis.logged.push(text);
      `,
      hub: () => hub.url,
    },
    outputs: {
      'import { load } from "webvlm";': "A red circle.",
      "const answer = await vlm.generate({ messages, max_tokens: 300 });": "A red circle.",
    },
  });
});
