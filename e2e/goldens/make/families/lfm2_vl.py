"""LFM2-VL."""

from checkpoint import HALF, RESCALE, Checkpoint, pad_to
from tiny_tokenizers import LLAMA3_REGEX, byte_level

LFM2_VL_TEMPLATE = """{{- bos_token -}}
{%- for message in messages -%}
    {{- '<|im_start|>' + message['role'] + '\\n' -}}
    {%- if message['content'] is string -%}
        {{- message['content'] -}}
    {%- else -%}
        {%- for content in message['content'] -%}
            {%- if content['type'] == 'image' -%}
                {{- '<image>' -}}
            {%- elif content['type'] == 'text' -%}
                {{- content['text'] -}}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {{- '<|im_end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{- '<|im_start|>assistant\\n' -}}
{%- endif -%}
"""


def lfm2_vl(variant: int) -> Checkpoint:
    """LFM2-VL: SigLIP2 NaFlex tower with resized positions, short convolutions and QK-norm attention."""
    first = [
        "<|pad|>",
        "<|startoftext|>",
        "<|endoftext|>",
        "<|fim_pre|>",
        "<|fim_mid|>",
        "<|fim_suf|>",
        "<|im_start|>",
        "<|im_end|>",
    ]
    first += ["<image>", "<|img_thumbnail|>", "<|image_start|>", "<|image_end|>"]
    first += [f"<|img_row_{r}_col_{c}|>" for r in range(1, 7) for c in range(1, 7)]
    tokenizer = byte_level([420, 440][variant], LLAMA3_REGEX, first, [], bos="<|startoftext|>")
    ids = tokenizer.token_to_id
    text = [
        dict(h=128, heads=2, kv=1, ff=320, layers=5, attention=[2, 4], theta=1000000.0, kernel=3),
        dict(h=192, heads=3, kv=1, ff=360, layers=4, attention=[1], theta=600000.0, kernel=4),
    ][variant]
    vision = [
        dict(h=128, heads=2, ff=208, layers=2, patch=16, patches=16, projector=224, tile=64, low=4, high=9, thumb=True),
        dict(
            h=144, heads=2, ff=184, layers=3, patch=14, patches=36, projector=160, tile=84, low=6, high=12, thumb=False
        ),
    ][variant]
    shared = {
        "do_image_splitting": True, "downsample_factor": 2, "encoder_patch_size": vision["patch"],
        "max_image_tokens": vision["high"], "max_num_patches": vision["high"] * 4, "max_pixels_tolerance": 2.0,
        "max_tiles": [10, 6][variant], "min_image_tokens": vision["low"], "min_tiles": 2, "tile_size": vision["tile"],
        "use_thumbnail": vision["thumb"],
    }  # fmt: skip
    config = {
        "architectures": ["Lfm2VlForConditionalGeneration"], "dtype": "bfloat16", **shared,
        "image_token_id": ids("<image>"), "model_type": "lfm2_vl", "projector_bias": True,
        "projector_hidden_act": "gelu", "projector_hidden_size": vision["projector"],
        "text_config": {
            "architectures": ["Lfm2ForCausalLM"], "block_auto_adjust_ff_dim": True, "block_dim": text["h"],
            "block_ff_dim": text["ff"], "block_ffn_dim_multiplier": 1.0, "block_multiple_of": [16, 8][variant],
            "block_norm_eps": [1e-5, 1e-6][variant], "block_use_swiglu": True, "bos_token_id": 1,
            "conv_L_cache": text["kernel"], "conv_bias": bool(variant), "conv_dim": text["h"], "dtype": "bfloat16",
            "eos_token_id": 7, "full_attn_idxs": text["attention"], "hidden_size": text["h"],
            "initializer_range": 0.02, "intermediate_size": text["ff"],
            "layer_types": ["full_attention" if i in text["attention"] else "conv" for i in range(text["layers"])],
            "max_position_embeddings": 128000, "model_type": "lfm2", "norm_eps": [1e-5, 1e-6][variant],
            "num_attention_heads": text["heads"], "num_heads": text["heads"], "num_hidden_layers": text["layers"],
            "num_key_value_heads": text["kv"], "pad_token_id": 0, "rope_theta": text["theta"], "use_cache": True,
            "use_pos_enc": True, "vocab_size": pad_to(tokenizer.get_vocab_size()),
        },
        "transformers_version": "4.55.0", "use_image_special_tokens": True,
        "vision_config": {
            "attention_dropout": 0.0, "dtype": "bfloat16", "hidden_act": "gelu_pytorch_tanh",
            "hidden_size": vision["h"], "intermediate_size": vision["ff"], "layer_norm_eps": 1e-6,
            "model_type": "siglip2_vision_model", "num_attention_heads": vision["heads"], "num_channels": 3,
            "num_hidden_layers": vision["layers"], "num_patches": vision["patches"], "patch_size": vision["patch"],
            "vision_use_head": False,
        },
        "vision_feature_layer": -1,
    }  # fmt: skip
    preprocessor = {
        "do_convert_rgb": True, "do_normalize": True, "do_pad": True, "do_rescale": True, "do_resize": True,
        "image_mean": HALF, "image_processor_type": "Lfm2VlImageProcessorFast", "image_std": HALF,
        "processor_class": "Lfm2VlProcessor", "resample": 2, "rescale_factor": RESCALE,
        "size": {"height": vision["tile"], "width": vision["tile"]}, **shared,
    }  # fmt: skip
    tokenizer_config = {
        "add_bos_token": True, "add_eos_token": False, "bos_token": "<|startoftext|>",
        "clean_up_tokenization_spaces": False, "eos_token": "<|im_end|>",
        "extra_special_tokens": {"image_end_token": "<|image_end|>", "image_start_token": "<|image_start|>",
                                 "image_thumbnail": "<|img_thumbnail|>", "image_token": "<image>"},
        "image_token": "<image>", "legacy": False, "model_max_length": 1000000000000000019884624838656,
        "pad_token": "<|pad|>", "processor_class": "Lfm2VlProcessor", "tokenizer_class": "PreTrainedTokenizerFast",
    }  # fmt: skip
    return Checkpoint(
        config, tokenizer, tokenizer_config,
        {"bos_token": "<|startoftext|>", "eos_token": "<|im_end|>", "image_token": "<image>", "pad_token": "<|pad|>"},
        LFM2_VL_TEMPLATE, {"bos_token_id": 1, "eos_token_id": 7, "pad_token_id": 0},
        {"preprocessor_config.json": preprocessor,
         "processor_config.json": {"processor_class": "Lfm2VlProcessor", "use_image_special_tokens": True}},
        [7], "<image>",
        rename=[(r"^model\.vision_tower\.", "model.vision_tower.vision_model.")], tiled=True,
    )  # fmt: skip
