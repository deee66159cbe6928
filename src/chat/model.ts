import type { TokenGenerator } from "../engine/generation.ts";
import { type CompileGrammar, GrammarCompiler } from "../grammar/grammar.ts";
import type { CheckpointFiles, ImageProcessor } from "../models/model.ts";
import { tokenizerSettings } from "../models/tokenizer-settings.ts";
import { type ChatTemplate, chatTemplate } from "../text/template.ts";
import { tokenizerJson } from "../text/tokenizer-files.ts";
import { Tokenizer } from "../text/tokenizer.ts";
import { type GenerationDefaults, generationDefaults } from "./defaults.ts";
import type { ImageOptions } from "./images.ts";

/** A loaded model, and everything else that a conversation needs. */
export interface ChatModel {
  readonly generator: TokenGenerator;
  readonly processor: ImageProcessor;
  readonly tokenizer: Tokenizer;
  /** Compiles answer formats to token masks. */
  readonly grammars: GrammarCompiler;
  readonly template: ChatTemplate;
  readonly defaults: GenerationDefaults;
  readonly images: ImageOptions;
  /** The `model_type` of config.json, such as "smolvlm". */
  readonly modelType: string;
  /** Refuse a longest answer that does not fit into the context, instead of lowering it. */
  readonly strictMaxTokens?: boolean | undefined;
}

export type ChatModelOptions = Pick<ChatModel, "generator" | "processor" | "strictMaxTokens"> &
  Pick<ImageOptions, "decodeImage"> &
  Partial<ImageOptions> & { readonly compileGrammar: CompileGrammar };

/**
 * Makes a chat model from a checkpoint's files (tokenizer.json, tokenizer_config.json, the chat
 * template, generation_config.json and config.json) and the engine that runs it.
 *
 * @throws Error when tokenizer.json is missing and can't be built; TemplateError when there is no chat template
 */
export function chatModel(files: CheckpointFiles, options: ChatModelOptions): ChatModel {
  const { generator, processor, compileGrammar, strictMaxTokens, ...images } = options;
  const json = tokenizerJson(files);
  if (!json) throw new Error("chatModel: the checkpoint has no tokenizer.json");
  const tokenizer = new Tokenizer(json, tokenizerSettings(files));
  const template = chatTemplate(files, tokenizer.namedTokens, processor.chatTemplate);
  return {
    generator,
    processor,
    tokenizer,
    grammars: new GrammarCompiler(tokenizer, compileGrammar),
    template,
    defaults: generationDefaults(files, tokenizer, template.afterAnswer),
    images: {
      fetch: (...request) => globalThis.fetch(...request),
      timeoutMs: 30_000,
      maxBytes: 50 * 2 ** 20,
      maxPixels: 2 ** 26,
      ...images,
    },
    modelType: (files["config.json"] as { model_type?: string } | undefined)?.model_type ?? "",
    strictMaxTokens,
  };
}
