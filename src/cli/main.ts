import { readFileSync } from "node:fs";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import type { UpstreamOptions } from "../net/upstream/upstream.ts";
import { QUANTIZATIONS } from "../weights/formats/registry.ts";
import { ask } from "./ask.ts";
import { inspect } from "./inspect.ts";
import { serve } from "./serve.ts";

const HELP = `
A model is a repository of the Hugging Face Hub (org/name or org/name@revision), a folder of this
machine in its layout, or the URL of such a folder. Without one it is the bundled sample model,
which knows simple drawings only. Repositories are kept where the Python client keeps them:
HF_HOME, HF_HUB_CACHE, HF_TOKEN, HF_ENDPOINT and HF_HUB_OFFLINE mean what they mean there.

Start with:
  $ webvlm ask image.png "What's in this image?"
  $ webvlm serve --model HuggingFaceTB/SmolVLM2-500M-Video-Instruct`;

const SERVE_HELP = `
Examples:
  $ webvlm serve
  $ webvlm serve HuggingFaceTB/SmolVLM2-500M-Video-Instruct --quantization q8
  $ webvlm serve ./my-model --host 0.0.0.0 --port 8000 --api-key "$KEY"

Then, from another terminal:
  $ curl http://127.0.0.1:30000/v1/chat/completions -H "Content-Type: application/json" -d '{
      "messages": [{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": "https://example.com/image.png"}},
        {"type": "text", "text": "What is in this image?"}]}]}'

or with any OpenAI client: base_url "http://127.0.0.1:30000/v1", model "default". GET /health is
200 once the model is loaded, 503 before. Interrupt it once to let running answers finish, twice
to end at once.

Beside an SGLang or vLLM server, requests that name another model than the one loaded here are
passed on to that, and all of them where this machine can't run the model:
  $ webvlm serve --upstream http://gpu-box:30000/v1 --upstream-models Qwen/Qwen2.5-VL-7B-Instruct`;

const ASK_HELP = `
Words are images where they are files, http(s) or data URLs, or "-" for standard input, and text
otherwise, in any order.

Examples:
  $ webvlm ask image.png "What's in this image?"
  $ webvlm ask before.png after.png "What is different?"
  $ webvlm ask "Which of" a.jpg "and" https://example.com/b.jpg "is brighter?"
  $ cat image.png | webvlm ask - "Read the text." --max-tokens 50`;

const INSPECT_HELP = `
Needs no GPU, and downloads no weights: of a repository that is not on this machine it reads the
configuration and the headers.

Examples:
  $ webvlm inspect HuggingFaceTB/SmolVLM2-500M-Video-Instruct
  $ webvlm inspect Qwen/Qwen2.5-VL-3B-Instruct --context-length 8192 --json`;

/**
 * The command `webvlm`.
 *
 * @param args what follows its name
 * @returns the exit code
 */
export async function main(args: readonly string[]): Promise<number> {
  let code = 0;
  const program = new Command("webvlm")
    .description("Vision-language models on WebGPU behind OpenAI's API.")
    .version(version(), "-V, --version")
    .addHelpText("after", HELP)
    .showHelpAfterError("(--help says more)")
    .exitOverride();

  quantization(modelOptions(program.command("serve")))
    .argument("[model]", "the model, as --model")
    .summary("answer HTTP requests as OpenAI's server does")
    .description("Answers HTTP requests as OpenAI's server does.")
    .option("--host <address>", "where to listen; 0.0.0.0 for all of this machine", "127.0.0.1")
    .option("--port <number>", "0 for any free one", port, 30000)
    .addOption(
      new Option("--api-key <key>", "what clients must send as bearer token").env("WEBVLM_API_KEY"),
    )
    .option("--cors-origin <origin...>", "pages of these origins may ask; * for all", [])
    .option("--max-body-size <size>", "of a request, with its images", size, 64 * 2 ** 20)
    .option("--allow-private-images", "read http images from private addresses too", false)
    .option("--drain <seconds>", "how long running answers may take to finish", number(0), 30)
    .option("--upstream <url>", "an OpenAI-compatible server that answers for other models")
    .addOption(
      new Option("--upstream-api-key <key>", "what it is sent as bearer token").env(
        "WEBVLM_UPSTREAM_API_KEY",
      ),
    )
    .option("--upstream-models <ids>", "ask it for these only, separated by commas", names)
    .addHelpText("after", SERVE_HELP)
    .action(async (model: string | undefined, options, command: Command) => {
      const { maxBodySize, drain, ...rest } = options;
      const apiKey: string | undefined = options.apiKey || undefined;
      const named = { model: model ?? options.model, apiKey, upstream: upstreamOf(command) };
      code = await serve({ ...rest, ...named, maxBodyBytes: maxBodySize, drainSeconds: drain });
    });

  quantization(modelOptions(program.command("ask")))
    .argument("<words...>", "images and text")
    .summary("ask one question about images")
    .description("Asks one question about images, and prints the answer as it is written.")
    .option("--system <text>", "a system message before the question")
    .option("--max-tokens <number>", "the answer's length at most", number(1))
    .option("--temperature <number>", "0 takes the likeliest token always", number(0, false))
    .option("--seed <number>", "draws the same answer again", number(0))
    .option("--json", "print the whole answer as the API gives it")
    .addHelpText("after", ASK_HELP)
    .action(async (words: string[], options) => {
      code = await ask(words, options);
    });

  modelOptions(program.command("inspect"))
    .argument("[model]", "the model, as --model")
    .summary("tell what a model takes, on disk and on the GPU")
    .description("Tells what a model takes, on disk and on the GPU, before it is loaded.")
    .option("--json", "print it as JSON")
    .addHelpText("after", INSPECT_HELP)
    .action(async (model: string | undefined, options) => {
      code = await inspect({ ...options, model: model ?? options.model });
    });

  try {
    await program.parseAsync(args, { from: "user" });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode;
    console.error(process.env.WEBVLM_DEBUG ? error : `webvlm: ${(error as Error).message}`);
    return 1;
  }
}

/** The options that all commands have. */
function modelOptions(command: Command): Command {
  return command
    .option("--model <model>", "repository, folder or URL (default: the bundled sample)")
    .option("--context-length <tokens>", "of prompt and answer together", number(1))
    .option("--max-image-tokens <tokens>", "what one image may take of them", number(1))
    .showHelpAfterError("(--help says more)");
}

function quantization(command: Command): Command {
  return command.addOption(
    new Option("--quantization <format>", "how matrices are kept on the GPU")
      .choices(QUANTIZATIONS)
      .default("auto"),
  );
}

/** @throws Error for what is said of an upstream where none is named */
function upstreamOf(command: Command): UpstreamOptions | undefined {
  const {
    upstream: url,
    upstreamApiKey: apiKey,
    upstreamModels: models,
  } = command.opts<{
    upstream?: string;
    upstreamApiKey?: string;
    upstreamModels?: string[];
  }>();
  if (url) return { url, apiKey, models };
  for (const name of ["upstreamApiKey", "upstreamModels"]) {
    if (command.getOptionValueSource(name) !== "cli") continue;
    const flag = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    throw new Error(`--${flag} is of no use without --upstream <url>.`);
  }
  return undefined;
}

function version(): string {
  const file = new URL("../../package.json", import.meta.url);
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}

function number(least: number, integer = true): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== "" && value >= least && (integer ? Number.isSafeInteger(value) : true)) {
      return value;
    }
    const kind = integer ? "an integer" : "a number";
    throw new InvalidArgumentError(`Expected ${kind} of ${least} at least.`);
  };
}

function port(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isInteger(value) && value >= 0 && value < 65_536) return value;
  throw new InvalidArgumentError("Expected an integer from 0 to 65535.");
}

/** `a,b`: one at least. */
function names(text: string): string[] {
  const found = text.split(",").flatMap((name) => name.trim() || []);
  if (found.length > 0) return found;
  throw new InvalidArgumentError('Expected names, as "org/one,org/two".');
}

const SIZES: Readonly<Record<string, number>> = { "": 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 };

/** `1000000`, `64m`, `1g`, in binary multiples. */
function size(text: string): number {
  const [, digits, unit = ""] = /^(\d+)([kmg]?)(?:i?b)?$/i.exec(text.trim()) ?? [];
  if (digits === undefined)
    throw new InvalidArgumentError('Expected bytes, as "1000000" or "64m".');
  return Number(digits) * (SIZES[unit.toLowerCase()] as number);
}
