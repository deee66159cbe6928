import type { ChatMessage } from "../src/chat/messages.ts";
import { type ChatModel, chatModel } from "../src/chat/model.ts";
import { buildPrompt } from "../src/chat/prompt.ts";
import { compileGrammar } from "../src/grammar/compile-grammar.ts";
import type {
  CheckpointFiles,
  ImageLayout,
  ImageProcessor,
  Model,
  Resize,
} from "../src/models/model.ts";
import { createModel } from "../src/models/registry.ts";
import { checkImageToken } from "../src/runtime/check-image-token.ts";
import type { Checkpoint } from "../src/weights/checkpoint.ts";
import { ScriptedGenerator, decodePng, readJson } from "./chat-support.ts";
import { type RecordingOptions, recordingOf } from "./recording.ts";
import { type FieldChange, watchedFiles } from "./watched-files.ts";

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

/** Makes a chat model of a folder's files; the default for tests reads them anew for each call. */
export type MakeChat = (files: CheckpointFiles, processor: ImageProcessor) => ChatModel;

const makeChat: MakeChat = (files, processor) => {
  const generator = new ScriptedGenerator();
  return chatModel(files, { generator, processor, decodeImage: decodePng, compileGrammar });
};

/**
 * A `MakeChat` for many changes of one folder. A change of a field that no chat model read needs no new
 * one, since two runs that read the same do the same.
 *
 * @returns the `MakeChat` of a change; without one, which must be called first, of the folder itself
 */
export function sharedChat(files: CheckpointFiles): (change?: FieldChange) => MakeChat {
  const watched = watchedFiles(files);
  let shared: ChatModel | undefined;
  return (change) => (changed, processor) => {
    shared ??= makeChat(watched.files, processor);
    const isSame = shared.processor.chatTemplate === processor.chatTemplate;
    return isSame && !(change && watched.wasRead(change))
      ? { ...shared, processor }
      : makeChat(changed, processor);
  };
}

/**
 * What decides the answer to a golden folder's case `image`, apart from the plans: the prompt, the image's
 * layout and pixels, and the defaults of generation. Throws Error where the files are refused.
 */
export function decisiveSettings(
  files: CheckpointFiles,
  messages: readonly ChatMessage[],
  chat = makeChat,
  { processor }: Model = createModel(files),
) {
  const [width, height] = IMAGE;
  const layout = processor.layout(width, height, "auto");
  const chatting = chat(files, processor);
  const ids = promptIds(chatting, messages, layout);
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
  messages: readonly ChatMessage[],
  { chat, ...recorded }: RecordingOptions & { readonly chat?: MakeChat } = {},
) {
  const model = createModel(checkpoint.files);
  const settings = decisiveSettings(checkpoint.files, messages, chat, model);
  const recording = await recordingOf(checkpoint, { model, ...recorded });
  // Layouts of other images may differ.
  return { ...recording, layouts: [], positions: [], ...settings };
}

const prompts = new WeakMap<ChatModel["tokenizer"], Map<string, readonly number[]>>();

/** The ids of a prompt with one image. Those of one tokenizer are remembered. */
function promptIds(
  chatting: ChatModel,
  messages: readonly ChatMessage[],
  layout: ImageLayout,
): readonly number[] {
  const { processor, tokenizer } = chatting;
  const { placeholder, imageTokenId, patchSize, merge, frame } = processor;
  const write = () => {
    checkImageToken(processor, tokenizer);
    const decoded = { width: 0, height: 0, source: new Uint8Array() };
    return buildPrompt(chatting, messages, [{ decoded, layout }]).ids;
  };
  // A frame is the processor's own code.
  if (frame) return write();
  const known = prompts.get(tokenizer) ?? new Map<string, readonly number[]>();
  prompts.set(tokenizer, known);
  const edge = 16 * patchSize * merge; // What `checkImageToken` looks at.
  const square = processor.layout(edge, edge, "auto");
  const parts = [layout, square].map(({ prompt, tokenCount }) => [prompt, tokenCount]);
  const key = JSON.stringify([placeholder, imageTokenId, messages, parts]);
  const ids = known.get(key) ?? write();
  known.set(key, ids);
  return ids;
}
