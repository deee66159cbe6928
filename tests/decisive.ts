import type { ChatMessage } from "../src/chat/messages.ts";
import { chatModel } from "../src/chat/model.ts";
import { buildPrompt } from "../src/chat/prompt.ts";
import { compileGrammar } from "../src/grammar/compile-grammar.ts";
import type { CheckpointFiles, Resize } from "../src/models/model.ts";
import { createModel } from "../src/models/registry.ts";
import { checkImageToken } from "../src/runtime/check-image-token.ts";
import type { Checkpoint } from "../src/weights/checkpoint.ts";
import { ScriptedGenerator, decodePng, readJson } from "./chat-support.ts";
import { recordingOf } from "./recording.ts";

/** The image of the case `image` of every golden folder, in pixels. */
const IMAGE = [96, 64] as const;

/** The messages of a golden folder's case `image`. */
export function imageMessages(family: string): readonly ChatMessage[] {
  const cases = readJson(`e2e/goldens/${family}/cases.json`) as {
    readonly name: string;
    readonly messages: readonly ChatMessage[];
  }[];
  return cases.find(({ name }) => name === "image")?.messages ?? [];
}

/**
 * What decides the answer to a golden folder's case `image`, apart from the plans: the prompt, the image's
 * layout and pixels, and the defaults of generation. Throws Error where the files are refused.
 */
export function decisiveSettings(files: CheckpointFiles, messages: readonly ChatMessage[]) {
  const { processor } = createModel(files);
  const [width, height] = IMAGE;
  const layout = processor.layout(width, height, "auto");
  const generator = new ScriptedGenerator();
  const options = { generator, processor, decodeImage: decodePng, compileGrammar };
  const chatting = chatModel(files, options);
  checkImageToken(processor, chatting.tokenizer);
  const image = { decoded: { width, height, source: new Uint8Array() }, layout };
  const { ids } = buildPrompt(chatting, messages, [image]);
  // A resize to the image's own size changes nothing.
  const isKept = ({ from, width: w, height: h }: Resize) => from > 0 || w !== width || h !== height;
  const resizes = layout.resizes.filter(isKept);
  const tiles = layout.tiles.map(({ from, ...tile }) => {
    const source = layout.resizes[from - 1];
    return { ...tile, from: source && isKept(source) ? from : 0 };
  });
  const { rescale, mean, std } = processor;
  return {
    ids,
    layout: { ...layout, resizes, tiles },
    pixels: [rescale, mean, std],
    defaults: chatting.defaults,
  };
}

/** All that decides the answer to that case. Throws Error where the files are refused. */
export async function decisive(
  checkpoint: Checkpoint,
  files: CheckpointFiles,
  messages: readonly ChatMessage[],
  contextLength?: number,
) {
  const settings = decisiveSettings(files, messages);
  const recording = await recordingOf({ ...checkpoint, files }, contextLength);
  // Layouts of other images may differ.
  return { ...recording, layouts: [], positions: [], ...settings };
}
