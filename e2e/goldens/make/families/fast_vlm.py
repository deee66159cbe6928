"""FastVLM."""

from checkpoint import RESCALE, Checkpoint, pad_to
from tiny_tokenizers import QWEN2_REGEX, byte_level

FAST_VLM_TEMPLATE = """{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}\
{{ '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}{% endif %}{{ '<|im_start|>' + message['role'] + '\\n' }}\
{% for part in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>' }}{% endfor %}\
{% for part in message['content'] | selectattr('type', 'equalto', 'text') %}{{ '\\n' + part['text'] }}{% endfor %}\
{{ '<|im_end|>' + '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""


def fast_vlm(variant: int) -> Checkpoint:
    """FastVLM: FastViTHD (convolutions, then attention at 1/32 and 1/64), two-layer projector, Qwen2 text model."""
    specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>"]
    tokenizer = byte_level([430, 410][variant], QWEN2_REGEX, [], specials, nfc=True)
    ids = tokenizer.token_to_id
    text = [
        dict(h=96, heads=2, kv=1, ff=200, layers=3, theta=1000000.0),
        dict(h=144, heads=3, kv=1, ff=232, layers=2, theta=400000.0),
    ][variant]
    vision = [
        dict(layers=[1, 2, 2, 1, 1], dims=[16, 32, 64, 64, 128], image=192),
        dict(layers=[2, 1, 1, 2, 1], dims=[16, 16, 48, 96, 96], image=256),
    ][variant]
    side = vision["image"] // 64
    features = vision["dims"][-1] * 2
    config = {
        "architectures": ["FastVlmForConditionalGeneration"], "dtype": "bfloat16", "image_seq_length": side * side,
        "image_token_index": ids("<image>"), "model_type": "fast_vlm", "multimodal_projector_bias": True,
        "projector_hidden_act": "gelu",
        "text_config": {
            "architectures": ["Qwen2ForCausalLM"], "attention_dropout": 0.0, "bos_token_id": ids("<|endoftext|>"),
            "dtype": "bfloat16", "eos_token_id": ids("<|im_end|>"), "hidden_act": "silu", "hidden_size": text["h"],
            "initializer_range": 0.02, "intermediate_size": text["ff"],
            "layer_types": ["full_attention"] * text["layers"], "max_position_embeddings": 32768,
            "max_window_layers": text["layers"], "model_type": "qwen2", "num_attention_heads": text["heads"],
            "num_hidden_layers": text["layers"], "num_key_value_heads": text["kv"],
            "rms_norm_eps": [1e-6, 1e-5][variant], "rope_scaling": None, "rope_theta": text["theta"],
            "sliding_window": None, "tie_word_embeddings": not variant, "use_cache": True,
            "use_sliding_window": False, "vocab_size": pad_to(tokenizer.get_vocab_size()),
        },
        "tie_word_embeddings": not variant, "transformers_version": "5.0.0.dev0",
        "vision_config": {
            "architecture": "fastvit_mci3", "architectures": ["TimmWrapperModel"], "do_pooling": True,
            "dtype": "bfloat16", "global_pool": "avg", "hidden_size": features, "initializer_range": 0.02,
            "label_names": [], "model_args": {"inference_mode": True, "layers": vision["layers"], "embed_dims": vision["dims"]},
            "model_type": "timm_wrapper", "num_classes": 0, "num_features": features,
            "pretrained_cfg": {"classifier": "head.fc", "crop_mode": "center", "crop_pct": 0.95, "input_size": [3, 256, 256],
                               "interpolation": "bicubic", "mean": [0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0]},
        },
        "vision_feature_layer": -1, "vision_feature_select_strategy": "full",
    }  # fmt: skip
    preprocessor = {
        "crop_size": {"height": vision["image"], "width": vision["image"]}, "do_center_crop": True,
        "do_convert_rgb": True, "do_normalize": True, "do_rescale": True, "do_resize": True,
        "image_mean": [0.0, 0.0, 0.0], "image_processor_type": "CLIPImageProcessor", "image_std": [1.0, 1.0, 1.0],
        "processor_class": "LlavaProcessor", "resample": 3, "rescale_factor": RESCALE,
        "size": {"shortest_edge": vision["image"]},
    }  # fmt: skip
    tokenizer_config = {
        "add_prefix_space": False, "additional_special_tokens": ["<|im_start|>", "<|im_end|>"], "bos_token": None,
        "clean_up_tokenization_spaces": False, "eos_token": "<|im_end|>", "errors": "replace",
        "extra_special_tokens": {}, "model_max_length": 32768, "pad_token": "<|endoftext|>",
        "processor_class": "LlavaProcessor", "split_special_tokens": False, "tokenizer_class": "Qwen2Tokenizer",
        "unk_token": None,
    }  # fmt: skip
    return Checkpoint(
        config, tokenizer, tokenizer_config,
        {"additional_special_tokens": ["<|im_start|>", "<|im_end|>"], "eos_token": "<|im_end|>",
         "pad_token": "<|endoftext|>"},
        FAST_VLM_TEMPLATE,
        {"bos_token_id": ids("<|endoftext|>"), "do_sample": True, "eos_token_id": [ids("<|im_end|>"), ids("<|endoftext|>")],
         "pad_token_id": ids("<|endoftext|>"), "repetition_penalty": 1.0, "temperature": 0.7, "top_k": 20, "top_p": 0.8},
        {"preprocessor_config.json": preprocessor,
         "processor_config.json": {"image_token": "<image>", "num_additional_image_tokens": 0, "patch_size": 64,
                                   "processor_class": "LlavaProcessor", "vision_feature_select_strategy": "full"}},
        [ids("<|im_end|>"), ids("<|endoftext|>")], "<image>", parts_only=True, other_names=apple_name,
    )  # fmt: skip


APPLE_TOWER = "model.vision_tower.vision_tower.model."
# Where FastViTHD's list `network` holds the stages, the downsampling before them and their position convolutions.
APPLE_STAGES, APPLE_DOWN, APPLE_POSITIONS = [0, 2, 4, 7, 10], {1: 1, 2: 3, 3: 5, 4: 8}, {3: 6, 4: 9}


def apple_name(name: str) -> str:
    """The tensor's name in Apple's own `llava_qwen2` checkpoints, from its name as transformers has it."""
    if name.startswith("model.language_model."):
        return name.replace("model.language_model.", "model.")
    if name.startswith("model.multi_modal_projector."):
        return name.replace("multi_modal_projector.linear_1", "mm_projector.0").replace(
            "multi_modal_projector.linear_2", "mm_projector.2")  # fmt: skip
    if not name.startswith("model.vision_tower.timm_model."):
        return name
    name = name.removeprefix("model.vision_tower.timm_model.")
    stage = int(name.split(".")[1]) if name.startswith("stages.") else -1
    name = name.replace("final_conv.se.fc1", "conv_exp.se.reduce").replace("final_conv.se.fc2", "conv_exp.se.expand")
    name = name.replace("final_conv.", "conv_exp.").replace("stem.", "patch_embed.")
    name = name.replace(f"stages.{stage}.pos_emb.", f"network.{APPLE_POSITIONS.get(stage)}.")
    name = name.replace(
        f"stages.{stage}.downsample.proj.0.reparam_conv", f"network.{APPLE_DOWN.get(stage)}.proj.0.lkb_reparam"
    )
    name = name.replace(f"stages.{stage}.downsample.", f"network.{APPLE_DOWN.get(stage)}.")
    if stage >= 0:
        name = name.replace(f"stages.{stage}.blocks.", f"network.{APPLE_STAGES[stage]}.")
    name = name.replace(".mlp.", ".convffn.").replace("layer_scale.gamma", "layer_scale")
    name = name.replace("layer_scale_1.gamma", "layer_scale_1").replace("layer_scale_2.gamma", "layer_scale_2")
    return APPLE_TOWER + name
