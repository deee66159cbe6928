import { type GgufFamily, imageNumbers, renamed, textConfig, textNames } from "./family.ts";
import { siglipConfig, siglipTensors } from "./siglip.ts";

/** SmolVLM, SmolVLM2 and Idefics 3. */
export const smolvlmGguf: GgufFamily = {
  architecture: "llama",
  projector: "idefics3",

  config(source) {
    const { vision } = source;
    const image_size = vision.number("image_size");
    // Files of the time before this key are of models that all have four tiles along an edge.
    const longest_edge = vision.numberOr("preproc_image_size", 4 * image_size);
    return {
      config: {
        model_type: "smolvlm",
        image_token_id: source.tokenId("<image>"),
        scale_factor: vision.number("projector.scale_factor"),
        text_config: { model_type: "llama", ...textConfig(source) },
        vision_config: siglipConfig(source),
      },
      preprocessor: {
        ...imageNumbers(source),
        size: { longest_edge },
        max_image_size: { longest_edge: image_size },
        do_image_splitting: true,
      },
    };
  },

  roles(source) {
    const { text } = source;
    const names = textNames("model.text_model");
    const tower = siglipTensors(source, "model.vision_model", {
      "mm.model.fc": "model.connector.modality_projection.proj",
    });
    const heads = text.number("attention.head_count");
    // llama.cpp rotates neighbours, transformers the two halves of a head.
    const pairedHeads: Readonly<Record<string, number>> = {
      attn_q: heads,
      attn_k: text.numberOr("attention.head_count_kv", heads),
    };
    return (tensor) => {
      const found = renamed(tensor.name, "blk", names);
      if (!found) {
        const name = tower(tensor);
        return name === undefined ? undefined : { name };
      }
      const paired = pairedHeads[found.part ?? ""];
      return { name: found.name, ...(paired !== undefined && { pairedHeads: paired }) };
    };
  },
};
