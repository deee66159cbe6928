import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import type { UpstreamOptions } from "../net/upstream/address.ts";
import { QUANTIZATIONS } from "../weights/formats/registry.ts";
import { askCommand } from "./ask-command.ts";
import { CONVERT_FORMATS, convertCommand } from "./convert-command.ts";
import { inspectCommand } from "./inspect-command.ts";
import { packageVersion } from "./package-version.ts";
import { serveCommand } from "./serve-command.ts";
import { listCommand, pullCommand, removeCommand } from "./storage-commands.ts";

const HELP = `
A model is a repository of the Hugging Face Hub (org/name or org/name@revision), a local folder in
the same layout, or the URL of such a folder. The default is the sample model, which knows simple
drawings only; it is in the repository, not in the npm package. Repositories are stored in the cache
of the hub's Python client. HF_HOME, HF_HUB_CACHE, HF_TOKEN, HF_ENDPOINT and HF_HUB_OFFLINE mean the
same as for that client.

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
503 until the model is loaded, then 200. Interrupt once to let running answers finish, twice to end
at once.

With --upstream, an SGLang or vLLM server answers requests for models that are not loaded here. If
this machine can't run the model, the upstream answers all requests:
  $ webvlm serve --upstream http://gpu-box:30000/v1 --upstream-models Qwen/Qwen2.5-VL-7B-Instruct`;

const ASK_HELP = `
A word is an image if it is a file, an http(s) or data URL, or "-" for standard input. Other words
are text. Images and text come in any order.

Examples:
  $ webvlm ask image.png "What's in this image?"
  $ webvlm ask before.png after.png "What is different?"
  $ webvlm ask "Which of" a.jpg "and" https://example.com/b.jpg "is brighter?"
  $ cat image.png | webvlm ask - "Read the text." --max-tokens 50`;

const INSPECT_HELP = `
Needs no GPU and downloads no weights. Only the configuration and the headers of a remote repository
are read.

Examples:
  $ webvlm inspect HuggingFaceTB/SmolVLM2-500M-Video-Instruct
  $ webvlm inspect Qwen/Qwen2.5-VL-3B-Instruct --context-length 8192 --json`;

const CONVERT_HELP = `
q8 packs all matrices in 8 bits. mixed and q4 pack those of the text model in 4 bits, but for mixed the
head and the most sensitive ones. The vision tower always has 8 bits.

Examples:
  $ webvlm convert HuggingFaceTB/SmolVLM2-500M-Video-Instruct ./smolvlm-q8 --format q8
  $ webvlm ask --model ./smolvlm-q8 image.png "What's in this image?"`;

/**
 * Runs the command `webvlm`.
 *
 * @param args the arguments after its name
 * @returns the exit code
 */
export async function main(args: readonly string[]): Promise<number> {
  let code = 0;
  const program = new Command("webvlm")
    .description("Vision-language models on WebGPU behind OpenAI's API.")
    .version(packageVersion(), "-V, --version")
    .addHelpText("after", HELP)
    .showHelpAfterError("(see --help)")
    .exitOverride();

  quantization(modelOptions(program.command("serve")))
    .argument("[model]", "same as --model")
    .summary("answer HTTP requests as OpenAI's server does")
    .description("Answers HTTP requests as OpenAI's server does.")
    .option("--host <address>", "address to listen on; 0.0.0.0 for all addresses", "127.0.0.1")
    .option("--port <number>", "port to listen on; 0 for any free port", port, 30000)
    .addOption(
      new Option("--api-key <key>", "bearer token that clients must send").env("WEBVLM_API_KEY"),
    )
    .option("--cors-origin <origin...>", "origins whose pages may send requests; * for all", [])
    .option("--max-body-size <size>", "largest request, with its images", size, 64 * 2 ** 20)
    .option("--strict-max-tokens", "refuse a max_tokens that does not fit, as OpenAI does", false)
    .option("--allow-private-images", "also fetch images from private addresses", false)
    .option("--drain <seconds>", "seconds that running answers may take at the end", number(0), 30)
    .option(
      "--keep-alive <seconds>",
      "seconds without requests after which the model leaves the GPU until the next one",
      number(1),
    )
    .option("--upstream <url>", "OpenAI-compatible server that answers for other models")
    .addOption(
      new Option("--upstream-api-key <key>", "bearer token for the upstream").env(
        "WEBVLM_UPSTREAM_API_KEY",
      ),
    )
    .option("--upstream-models <ids>", "models to ask the upstream for, separated by commas", names)
    .addHelpText("after", SERVE_HELP)
    .action(async (model: string | undefined, options, command: Command) => {
      const { maxBodySize, drain, keepAlive, ...rest } = options;
      const apiKey: string | undefined = options.apiKey || undefined;
      const named = { model: model ?? options.model, apiKey, upstream: upstreamOf(command) };
      code = await serveCommand({
        ...rest,
        ...named,
        maxBodyBytes: maxBodySize,
        drainSeconds: drain,
        ...(keepAlive !== undefined && { keepAliveSeconds: keepAlive }),
      });
    });

  quantization(modelOptions(program.command("ask")))
    .argument("<words...>", "images and text")
    .summary("ask one question about images")
    .description("Asks one question about images, and prints the answer as it is written.")
    .option("--system <text>", "system message before the question")
    .option("--max-tokens <number>", "longest answer, in tokens", number(1))
    .option("--temperature <number>", "0 always takes the likeliest token", number(0, false))
    .option("--seed <number>", "makes a sampled answer reproducible", number(0))
    .option("--json", "print the whole response of the API")
    .addHelpText("after", ASK_HELP)
    .action(async (words: string[], options) => {
      code = await askCommand(words, options);
    });

  modelOptions(program.command("inspect"))
    .argument("[model]", "same as --model")
    .summary("show the sizes of a model, on disk and on the GPU")
    .description("Shows the sizes of a model, on disk and on the GPU, before it is loaded.")
    .option("--json", "print JSON")
    .addHelpText("after", INSPECT_HELP)
    .action(async (model: string | undefined, options) => {
      code = await inspectCommand({ ...options, model: model ?? options.model });
    });

  program
    .command("convert")
    .argument("<model>", "repository, folder or URL")
    .argument("<folder>", "new folder to write")
    .summary("write a model as a folder, quantized as it is used")
    .description("Writes a model as a folder, quantized as it is used. It loads like any model.")
    .addOption(
      new Option("--format <format>", "how its matrices are stored")
        .choices(CONVERT_FORMATS)
        .default("mixed"),
    )
    .addHelpText("after", CONVERT_HELP)
    .action(async (model: string, folder: string, options) => {
      code = await convertCommand(model, folder, options);
    });

  program
    .command("pull")
    .argument("<model>", "repository of the hub, or URL of a folder")
    .summary("download a model, or what has changed of it")
    .description("Downloads a model without loading it, or what has changed of it on the server.")
    .action(async (model: string) => {
      code = await pullCommand(model);
    });

  program
    .command("list")
    .alias("ls")
    .summary("list the models on this machine")
    .description(
      "Lists the models in the cache of the hub's Python client, and those of other URLs.",
    )
    .option("--json", "print JSON")
    .action(async (options) => {
      code = await listCommand(options);
    });

  program
    .command("rm")
    .argument("[models...]", "repositories to delete, with all their revisions")
    .summary("delete models from this machine")
    .description("Deletes models from the cache of the hub's Python client.")
    .option("--all", "delete all models, those of other programs too")
    .option("--yes", "confirm --all")
    .action(async (models: string[], options) => {
      code = await removeCommand(models, options);
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

/** Adds the options that all commands have. */
function modelOptions(command: Command): Command {
  return command
    .option("--model <model>", "repository, folder or URL (default: the sample model)")
    .option("--context-length <tokens>", "longest prompt and answer together", number(1))
    .addOption(
      new Option(
        "--kv-cache <type>",
        'how keys and values are kept (default: f32, or as "auto" says)',
      ).choices(["f32", "f16"]),
    )
    .option("--memory-bytes <size>", 'GPU memory that "auto" may use, such as 4g', size)
    .option("--max-image-tokens <tokens>", "most tokens for one image", number(1))
    .showHelpAfterError("(see --help)");
}

function quantization(command: Command): Command {
  return command.addOption(
    new Option("--quantization <format>", "storage format of the weights on the GPU")
      .choices(QUANTIZATIONS)
      .default("auto"),
  );
}

/** @throws Error for an option of the upstream without --upstream */
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
    throw new Error(`--${flag} needs --upstream <url>.`);
  }
  return undefined;
}

function number(least: number, integer = true): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== "" && value >= least && (integer ? Number.isSafeInteger(value) : true)) {
      return value;
    }
    const kind = integer ? "an integer" : "a number";
    throw new InvalidArgumentError(`Expected ${kind}, at least ${least}.`);
  };
}

function port(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isInteger(value) && value >= 0 && value < 65_536) return value;
  throw new InvalidArgumentError("Expected an integer from 0 to 65535.");
}

/** Parses `a,b`: one name or more. */
function names(text: string): string[] {
  const found = text.split(",").flatMap((name) => name.trim() || []);
  if (found.length > 0) return found;
  throw new InvalidArgumentError('Expected names, such as "org/one,org/two".');
}

const SIZES: Readonly<Record<string, number>> = { "": 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 };

/** Parses `1000000`, `64m` or `1g`, with binary multiples. */
function size(text: string): number {
  const [, digits, unit = ""] = /^(\d+)([kmg]?)(?:i?b)?$/i.exec(text.trim()) ?? [];
  if (digits === undefined)
    throw new InvalidArgumentError('Expected a number of bytes, such as "1000000" or "64m".');
  return Number(digits) * (SIZES[unit.toLowerCase()] as number);
}
