"""LLaVA-1.5."""

from checkpoint import CLIP_MEAN, CLIP_STD, RESCALE, Checkpoint, brief, pad_to
from tiny_tokenizers import byte_fallback

LLAVA_TEMPLATE = """{% for message in messages %}{% if message['role'] != 'system' %}{{ message['role'].upper() + ': ' }}{% endif %}\
{% if message['content'] is string %}{{ message['content'] + ' ' }}{% else %}\
{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\\n' }}{% endfor %}\
{% if message['role'] != 'assistant' %}\
{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ content['text'] + ' ' }}{% endfor %}\
{% else %}{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}\
{% generation %}{{ content['text'] + ' ' }}{% endgeneration %}{% endfor %}{% endif %}{% endif %}{% endfor %}\
{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"""


LLAVA_RENAME = [
    (r"^lm_head\.", "language_model.lm_head."),
    (r"^model\.language_model\.", "language_model.model."),
    (r"^model\.vision_tower\.", "vision_tower.vision_model."),
    (r"^model\.multi_modal_projector\.", "multi_modal_projector."),
    (r"^model\.image_newline", "image_newline"),
]


def llava(variant: int) -> Checkpoint:
    """LLaVA-1.5: CLIP tower (class token, second-to-last layer), Llama text model, SentencePiece-style tokenizer."""
    tokenizer = byte_fallback([260, 300][variant], ["<unk>", "<s>", "</s>"], ["<image>", "<pad>"], "<s>", "<unk>", True)
    ids = tokenizer.token_to_id
    text = [dict(h=128, heads=2, kv=2, ff=200, layers=3), dict(h=192, heads=3, kv=1, ff=232, layers=2)][variant]
    vision = [
        dict(h=128, heads=2, ff=208, layers=3, patch=14, image=56),
        dict(h=144, heads=2, ff=168, layers=4, patch=16, image=48),
    ][variant]
    side = vision["image"] // vision["patch"]
    vocab = pad_to(tokenizer.get_vocab_size())
    config = {
        "architectures": ["LlavaForConditionalGeneration"], "ignore_index": -100, "image_seq_length": side * side,
        "image_token_index": ids("<image>"), "model_type": "llava", "pad_token_id": ids("<pad>"),
        "projector_hidden_act": "gelu",
        "text_config": {
            "architectures": ["LlamaForCausalLM"], "hidden_act": "silu", "hidden_size": text["h"],
            "intermediate_size": text["ff"], "max_position_embeddings": 4096, "model_type": "llama",
            "num_attention_heads": text["heads"], "num_hidden_layers": text["layers"],
            "num_key_value_heads": text["kv"], "rms_norm_eps": [1e-5, 1e-6][variant],
            "rope_theta": [10000.0, 50000.0][variant], "torch_dtype": "bfloat16", "vocab_size": vocab,
        },
        "tie_word_embeddings": False, "torch_dtype": "bfloat16", "transformers_version": "4.36.0.dev0",
        "vision_config": {
            "hidden_act": "quick_gelu", "hidden_size": vision["h"], "image_size": vision["image"],
            "intermediate_size": vision["ff"], "layer_norm_eps": 1e-5, "model_type": "clip_vision_model",
            "num_attention_heads": vision["heads"], "num_hidden_layers": vision["layers"],
            "patch_size": vision["patch"], "projection_dim": 64, "vocab_size": 32000,
        },
        "vision_feature_layer": -2, "vision_feature_select_strategy": "default", "vocab_size": vocab,
    }  # fmt: skip
    preprocessor = {
        "crop_size": {"height": vision["image"], "width": vision["image"]}, "do_center_crop": True,
        "do_convert_rgb": True, "do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": CLIP_MEAN,
        "image_processor_type": "CLIPImageProcessor", "image_std": CLIP_STD, "processor_class": "LlavaProcessor",
        "resample": 3, "rescale_factor": RESCALE, "size": {"shortest_edge": vision["image"]},
    }  # fmt: skip
    tokenizer_config = {
        "add_bos_token": True, "add_eos_token": False, "bos_token": "<s>", "clean_up_tokenization_spaces": False,
        "eos_token": "</s>", "extra_special_tokens": {"image_token": "<image>"}, "image_token": "<image>",
        "legacy": True, "model_max_length": 1000000000000000019884624838656, "pad_token": "<pad>",
        "padding_side": "left", "processor_class": "LlavaProcessor", "sp_model_kwargs": {},
        "tokenizer_class": "LlamaTokenizer", "unk_token": "<unk>", "use_default_system_prompt": False,
    }  # fmt: skip
    return Checkpoint(
        config, tokenizer, tokenizer_config,
        {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>", "image_token": "<image>"},
        LLAVA_TEMPLATE,
        {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": ids("<pad>")},
        {"preprocessor_config.json": preprocessor,
         "processor_config.json": {"image_token": "<image>", "num_additional_image_tokens": 1,
                                   "patch_size": vision["patch"], "processor_class": "LlavaProcessor",
                                   "vision_feature_select_strategy": "default"}},
        [2], "<image>", rename=LLAVA_RENAME,
    )  # fmt: skip


def llava_resaved(variant: int) -> Checkpoint:
    """Tensor names of some 4.5x versions; rope_parameters without the base, which stands beside them."""
    checkpoint = llava(variant)
    checkpoint.config["text_config"]["num_hidden_layers"] = checkpoint.config["vision_config"]["num_hidden_layers"] = 2
    checkpoint.config["text_config"]["rope_theta"] = [37000.0, 50000.0][variant]
    checkpoint.config["text_config"]["rope_parameters"] = {"rope_type": "default"}
    checkpoint.config["transformers_version"] = "4.57.1"
    checkpoint.rename = [(r"^model\.vision_tower\.", "model.vision_tower.vision_model.")]
    return brief(checkpoint, ["text", "image", "two_images"])
