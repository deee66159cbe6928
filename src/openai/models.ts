import { type Context, type ServedModel, checkModel, loadedModel } from "./context.ts";
import type { ModelEntry, ModelInfo } from "./wire.ts";

/** `GET models` */
export async function getModels({ model }: Context): Promise<Response> {
  return Response.json({ object: "list", data: model ? [modelEntry(model)] : [] });
}

/** `GET models/{id}` */
export async function getModel(context: Context): Promise<Response> {
  const model = loadedModel(context);
  checkModel(context.id, model);
  return Response.json(modelEntry(model));
}

/** `GET health` */
export async function getHealth(context: Context): Promise<Response> {
  loadedModel(context);
  return Response.json({ status: "ok" });
}

/** `GET model_info` */
export async function getModelInfo(context: Context): Promise<Response> {
  const { id, chat } = loadedModel(context);
  const info: ModelInfo = {
    id,
    model_path: id,
    tokenizer_path: id,
    is_generation: true,
    weight_version: "default",
    model_type: chat.modelType,
    max_model_len: chat.generator.contextLength,
    modalities: ["text", "image"],
    has_image_understanding: true,
    has_audio_understanding: false,
  };
  return Response.json(info);
}

/** `POST flush_cache`: empties the prefix cache. */
export async function postFlushCache(context: Context): Promise<Response> {
  const { generator } = loadedModel(context).chat;
  generator.flush?.();
  const message = generator.flush
    ? "The prefix cache was flushed."
    : "There is no prefix cache, so there was nothing to flush.";
  return Response.json({ success: true, message });
}

function modelEntry({ id, created, chat }: ServedModel): ModelEntry {
  return {
    id,
    object: "model",
    created,
    owned_by: "webvlm",
    root: id,
    parent: null,
    max_model_len: chat.generator.contextLength,
    type: "vlm",
    capabilities: ["completion", "multimodal"],
  };
}
