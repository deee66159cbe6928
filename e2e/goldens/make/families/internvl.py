"""InternVL3 and InternVL3.5."""

from checkpoint import IMAGENET_MEAN, IMAGENET_STD, RESCALE, Checkpoint, brief, pad_to
from families.qwen_vl import QWEN_MAP, qwen_tokenizer, qwen_tokenizer_config

INTERNVL_TEMPLATE = """{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' }}\
{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for content in message['content'] %}\
{% if content['type'] == 'image' %}{{ '<IMG_CONTEXT>\\n' }}{% elif content['type'] == 'text' %}{{ content['text'] }}{% endif %}\
{% endfor %}{% endif %}{{ '<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""


def internvl(variant: int) -> Checkpoint:
    """InternVL3 in the transformers-native layout: InternViT with LayerScale, pixel shuffle, tiles and a thumbnail."""
    extra = ["<img>", "</img>", "<IMG_CONTEXT>", "<quad>", "</quad>", "<ref>", "</ref>", "<box>", "</box>", "<video>"]
    tokenizer = qwen_tokenizer([420, 440][variant], extra)
    ids = tokenizer.token_to_id
    text = [dict(h=128, heads=2, kv=1, ff=192, layers=3), dict(h=192, heads=3, kv=1, ff=224, layers=2)][variant]
    vision = [dict(h=128, heads=2, ff=208, layers=2, image=84), dict(h=96, heads=2, ff=200, layers=4, image=56)][
        variant
    ]
    side = vision["image"] // 14
    config = {
        "architectures": ["InternVLForConditionalGeneration"], "downsample_ratio": 0.5,
        "image_seq_length": side * side // 4, "image_token_id": ids("<IMG_CONTEXT>"), "model_type": "internvl",
        "projector_hidden_act": "gelu",
        "text_config": {
            "architectures": ["Qwen2ForCausalLM"], "attention_dropout": 0.0, "bos_token_id": ids("<|endoftext|>"),
            "eos_token_id": ids("<|im_end|>"), "hidden_act": "silu", "hidden_size": text["h"],
            "initializer_range": 0.02, "intermediate_size": text["ff"], "max_position_embeddings": 32768,
            "max_window_layers": text["layers"], "model_type": "qwen2", "num_attention_heads": text["heads"],
            "num_hidden_layers": text["layers"], "num_key_value_heads": text["kv"],
            "rms_norm_eps": [1e-6, 1e-5][variant],
            "rope_scaling": [{"factor": 2.0, "rope_type": "dynamic", "type": "dynamic"}, None][variant],
            "rope_theta": [1000000.0, 300000.0][variant], "sliding_window": None, "tie_word_embeddings": bool(variant),
            "torch_dtype": "bfloat16", "use_cache": True, "use_sliding_window": False,
            "vocab_size": pad_to(tokenizer.get_vocab_size()),
        },
        "tie_word_embeddings": bool(variant), "torch_dtype": "bfloat16", "transformers_version": "4.52.0.dev0",
        "vision_config": {
            "architectures": ["InternVisionModel"], "attention_bias": True, "attention_dropout": 0.0,
            "hidden_act": "gelu", "hidden_dropout_prob": 0.0, "hidden_size": vision["h"],
            "image_size": [vision["image"]] * 2, "initializer_range": 1e-10, "intermediate_size": vision["ff"],
            "layer_norm_eps": 1e-6, "layer_scale_init_value": 0.1, "model_type": "internvl_vision",
            "norm_type": "layer_norm", "num_attention_heads": vision["heads"], "num_channels": 3,
            "num_hidden_layers": vision["layers"], "patch_size": [14, 14], "projection_dropout": 0.0,
            "use_absolute_position_embeddings": True, "use_mask_token": False, "use_mean_pooling": True,
            "use_qk_norm": False,
        },
        "vision_feature_layer": -1, "vision_feature_select_strategy": "default",
    }  # fmt: skip
    preprocessor = {
        "crop_to_patches": False, "do_convert_rgb": True, "do_normalize": True, "do_rescale": True, "do_resize": True,
        "image_mean": IMAGENET_MEAN, "image_processor_type": "GotOcr2ImageProcessorFast", "image_std": IMAGENET_STD,
        "max_patches": [12, 6][variant], "min_patches": 1, "processor_class": "InternVLProcessor", "resample": 3,
        "rescale_factor": RESCALE, "size": {"height": vision["image"], "width": vision["image"]},
    }  # fmt: skip
    only_images = ("crop_to_patches", "max_patches", "min_patches", "image_processor_type")
    video = {k: v for k, v in preprocessor.items() if k not in only_images}
    tokens = {
        "context_image_token": "<IMG_CONTEXT>",
        "end_image_token": "</img>",
        "start_image_token": "<img>",
        "video_token": "<video>",
    }
    return Checkpoint(
        config, tokenizer, qwen_tokenizer_config("InternVLProcessor", **tokens, extra_special_tokens=tokens),
        {**QWEN_MAP, **tokens}, INTERNVL_TEMPLATE,
        {"bos_token_id": ids("<|endoftext|>"), "eos_token_id": ids("<|im_end|>"), "pad_token_id": ids("<|endoftext|>")},
        {"preprocessor_config.json": preprocessor,
         "video_preprocessor_config.json": {**video, "video_processor_type": "InternVLVideoProcessor"},
         "processor_config.json": {"image_seq_length": side * side // 4, "processor_class": "InternVLProcessor"}},
        [ids("<|im_end|>")], "<IMG_CONTEXT>",
        rename=[(r"^lm_head\.", "language_model.lm_head."), (r"^model\.language_model\.", "language_model.model."),
                (r"^model\.", "")],
        tiled=True,
    )  # fmt: skip


def internvl_resaved(variant: int) -> Checkpoint:
    """Saved again by transformers 5.23, whose class default ties the head that the file nevertheless holds."""
    checkpoint = internvl(variant)
    checkpoint.config.pop("tie_word_embeddings")
    checkpoint.config["text_config"]["tie_word_embeddings"] = False
    checkpoint.separate_head = checkpoint.resave = True
    return brief(checkpoint, ["text", "image", "large"])


def internvl_6b(variant: int) -> Checkpoint:
    """The tower of InternVL3-38B and -78B: RMS norms, norms of all queries and all keys, no bias in attention."""
    checkpoint = internvl(variant)
    checkpoint.config["vision_config"] |= {
        **[dict(hidden_size=120, num_attention_heads=3), dict(hidden_size=96, num_attention_heads=3)][variant],
        "attention_bias": False, "norm_type": "rms_norm", "use_qk_norm": True,
    }  # fmt: skip
    return brief(checkpoint, ["text", "image", "large"])


def internvl3_5(variant: int) -> Checkpoint:
    """InternVL3.5: the InternVL family with a Qwen3 text model (head norms, head size of its own)."""
    checkpoint = internvl(variant)
    old = checkpoint.config["text_config"]
    text = [
        dict(h=128, heads=2, kv=1, hd=80, ff=216, layers=3, theta=1000000, eps=1e-6),
        dict(h=144, heads=4, kv=2, hd=48, ff=168, layers=2, theta=150000, eps=1e-5),
    ][variant]
    checkpoint.config["text_config"] = {
        "architectures": ["Qwen3ForCausalLM"], "attention_bias": False, "attention_dropout": 0.0,
        "bos_token_id": old["bos_token_id"], "eos_token_id": old["eos_token_id"], "head_dim": text["hd"],
        "hidden_act": "silu", "hidden_size": text["h"], "initializer_range": 0.02, "intermediate_size": text["ff"],
        "layer_types": ["full_attention"] * text["layers"], "max_position_embeddings": 40960,
        "max_window_layers": text["layers"], "model_type": "qwen3", "num_attention_heads": text["heads"],
        "num_hidden_layers": text["layers"], "num_key_value_heads": text["kv"], "rms_norm_eps": text["eps"],
        "rope_scaling": None, "rope_theta": text["theta"], "sliding_window": None,
        "tie_word_embeddings": bool(variant), "torch_dtype": "bfloat16", "use_cache": True,
        "use_sliding_window": False, "vocab_size": old["vocab_size"],
    }  # fmt: skip
    checkpoint.config["transformers_version"] = "4.55.0"
    checkpoint.seed = 2
    return brief(checkpoint, ["text", "image", "large"])
