"""LLaVA-OneVision."""

from checkpoint import HALF, RESCALE, Checkpoint, brief, pad_to
from families.llava import LLAVA_RENAME
from tiny_tokenizers import QWEN2_REGEX, byte_level

LLAVA_ONEVISION_TEMPLATE = """{% for message in messages %}{{ '<|im_start|>' + message['role'] + ' ' }}\
{% if message['content'] is string %}{{ '\\n' + message['content'] }}{% else %}\
{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>' }}{% endfor %}\
{% if message['role'] != 'assistant' %}\
{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ '\\n' + content['text'] }}{% endfor %}\
{% else %}{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}\
{% generation %}{{ '\\n' + content['text'] }}{% endgeneration %}{% endfor %}{% endif %}{% endif %}\
{{ '<|im_end|>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""


# What the text models' own tokenizer_config.json has next to an image template in chat_template.json.
QWEN2_TEXT_TEMPLATE = """{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}\
{{ '<|im_start|>system\\nYou are a helpful assistant<|im_end|>\\n' }}{% endif %}\
{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}\
{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""


def llava_onevision(variant: int) -> Checkpoint:
    """LLaVA-OneVision: SigLIP, any-resolution tiles with unpadding and image_newline, Qwen2 text model."""
    specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>", "<video>"]
    tokenizer = byte_level([430, 450][variant], QWEN2_REGEX, [], specials, nfc=True)
    ids = tokenizer.token_to_id
    text = [dict(h=128, heads=2, kv=1, ff=200, layers=3), dict(h=192, heads=3, kv=1, ff=232, layers=2)][variant]
    vision = [
        dict(h=144, heads=2, ff=216, layers=2, image=56, side=4),
        dict(h=128, heads=2, ff=176, layers=3, image=42, side=3),
    ][variant]
    pinpoints = [[a * vision["image"], b * vision["image"]] for a in range(1, [4, 3][variant] + 1) for b in range(1, 5)]
    aspect = ["anyres_max_9", "anyres_max_4"][variant]
    config = {
        "architectures": ["LlavaOnevisionForConditionalGeneration"], "ignore_index": -100,
        "image_grid_pinpoints": pinpoints, "image_token_index": ids("<image>"), "model_type": "llava_onevision",
        "projector_hidden_act": "gelu",
        "text_config": {
            "architectures": ["Qwen2ForCausalLM"], "bos_token_id": ids("<|endoftext|>"),
            "eos_token_id": ids("<|im_end|>"), "hidden_act": "silu", "hidden_size": text["h"],
            "intermediate_size": text["ff"], "max_position_embeddings": 32768, "max_window_layers": text["layers"],
            "model_type": "qwen2", "num_attention_heads": text["heads"], "num_hidden_layers": text["layers"],
            "num_key_value_heads": text["kv"], "rms_norm_eps": [1e-6, 1e-5][variant],
            "rope_theta": [1000000.0, 200000.0][variant], "sliding_window": 32768, "tie_word_embeddings": not variant,
            "torch_dtype": "bfloat16", "use_cache": True, "use_sliding_window": False,
            "vocab_size": pad_to(tokenizer.get_vocab_size()),
        },
        "tie_word_embeddings": not variant, "torch_dtype": "bfloat16", "transformers_version": "4.44.2",
        "use_image_newline_parameter": True, "video_token_index": ids("<video>"), "vision_aspect_ratio": aspect,
        "vision_config": {
            "hidden_act": "gelu_pytorch_tanh", "hidden_size": vision["h"], "image_size": vision["image"],
            "intermediate_size": vision["ff"], "layer_norm_eps": 1e-6, "model_type": "siglip_vision_model",
            "num_attention_heads": vision["heads"], "num_hidden_layers": vision["layers"], "patch_size": 14,
            "vision_use_head": False,
        },
        "vision_feature_layer": -1, "vision_feature_select_strategy": "full",
    }  # fmt: skip
    preprocessor = {
        "do_convert_rgb": True, "do_normalize": True, "do_pad": True, "do_rescale": True, "do_resize": True,
        "image_grid_pinpoints": pinpoints, "image_mean": HALF, "image_processor_type": "LlavaOnevisionImageProcessor",
        "image_std": HALF, "processor_class": "LlavaOnevisionProcessor", "resample": 3, "rescale_factor": RESCALE,
        "size": {"height": vision["image"], "width": vision["image"]},
    }  # fmt: skip
    video = {
        k: v for k, v in preprocessor.items() if k not in ("do_pad", "image_grid_pinpoints", "image_processor_type")
    }
    tokenizer_config = {
        "add_prefix_space": False, "additional_special_tokens": specials[1:], "bos_token": None,
        "clean_up_tokenization_spaces": False, "eos_token": "<|im_end|>", "errors": "replace",
        "model_max_length": 32768, "pad_token": "<|endoftext|>", "processor_class": "LlavaOnevisionProcessor",
        "split_special_tokens": False, "tokenizer_class": "Qwen2Tokenizer", "unk_token": None,
    }  # fmt: skip
    return Checkpoint(
        config, tokenizer, tokenizer_config,
        {"additional_special_tokens": specials[1:], "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"},
        LLAVA_ONEVISION_TEMPLATE,
        {"bos_token_id": ids("<|endoftext|>"), "eos_token_id": ids("<|im_end|>"), "pad_token_id": ids("<|endoftext|>")},
        {"preprocessor_config.json": preprocessor,
         "video_preprocessor_config.json": {**video, "video_processor_type": "LlavaOnevisionVideoProcessor"},
         "processor_config.json": {"image_token": "<image>", "num_image_tokens": vision["side"] ** 2,
                                   "processor_class": "LlavaOnevisionProcessor", "video_token": "<video>",
                                   "vision_aspect_ratio": aspect, "vision_feature_select_strategy": "full"}},
        [ids("<|im_end|>")], "<image>", rename=LLAVA_RENAME, tiled=True,
    )  # fmt: skip


def without(config: dict, *keys: str) -> None:
    for key in keys:
        config.pop(key, None)


def llava_onevision_published(variant: int) -> Checkpoint:
    """As llava-hf published it: class defaults left out, a tied head said in text_config only, the image template
    in chat_template.json only."""
    checkpoint = llava_onevision(variant)
    without(checkpoint.config["text_config"], "max_position_embeddings", "rms_norm_eps", "hidden_act", "use_cache")
    checkpoint.config["tie_word_embeddings"] = False
    without(checkpoint.config["vision_config"], "hidden_act", "layer_norm_eps")
    checkpoint.template_file = "chat_template.json"
    checkpoint.tokenizer_config["chat_template"] = QWEN2_TEXT_TEMPLATE
    return brief(checkpoint, ["text", "image", "two_turns", "system"])
