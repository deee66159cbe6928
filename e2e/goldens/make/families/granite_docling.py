"""Granite Docling 500M and granite-docling-258M (Idefics3)."""

from checkpoint import HALF, RESCALE, Checkpoint, pad_to, unread
from tiny_tokenizers import LLAMA3_REGEX, byte_level

GRANITE_DOCLING_TEMPLATE = """{%- for message in messages -%}
    {{- '<|start_of_role|>' + message['role'] + '<|end_of_role|>' -}}
    {%- if message['content'] is string -%}
        {{- message['content'] -}}
    {%- else -%}
        {%- for part in message['content'] -%}
            {%- if part['type'] == 'text' -%}
                {{- part['text'] -}}
            {%- elif part['type'] == 'image' -%}
                {{- '<image>' -}}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {{- '<|end_of_text|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{- '<|start_of_role|>assistant' -}}
    {%- if controls -%}
        {{- ' ' + controls | tojson() -}}
    {%- endif -%}
    {{- '<|end_of_role|>' -}}
{%- endif -%}
"""


def docling_tokenizer(size: int, side: int):
    """Granite 4 style: <|pad|> first among the special tokens, tile markers, image tokens."""
    grid = [f"<row_{r}_col_{c}>" for r in range(1, side + 1) for c in range(1, side + 1)]
    last = ["<|pad|>", "<|end_of_text|>", "<|fim_prefix|>", "<|start_of_role|>", "<|end_of_role|>", "<doclang>", "<ocr>",
            "<global-img>", *grid, "<fake_token_around_image>", "<image>", "<end_of_utterance>"]  # fmt: skip
    return byte_level(size, LLAMA3_REGEX, [], last), last


def docling_tokenizer_config(processor: str, **more) -> dict:
    return {
        "add_prefix_space": False, "bos_token": "<|end_of_text|>", "clean_up_tokenization_spaces": False,
        "eos_token": "<|end_of_text|>", "errors": "replace", "extra_special_tokens": {}, "model_max_length": 8192,
        "pad_token": "<|pad|>", "padding_side": "left", "processor_class": processor,
        "tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "<|end_of_text|>", **more,
    }  # fmt: skip


def granite_docling(variant: int) -> Checkpoint:
    """granite-for-docling: SigLIP tiles, two-path pixel-shuffle connector with DeepStack, Granite text model."""
    tokenizer, specials = docling_tokenizer([420, 440][variant], 7)
    ids = tokenizer.token_to_id
    text = [
        dict(
            h=96,
            heads=3,
            kv=1,
            ff=200,
            layers=4,
            eps=1e-5,
            theta=10000.0,
            embed=3.0,
            logits=2.0,
            residual=0.6,
            attention=0.3,
        ),
        dict(
            h=128,
            heads=4,
            kv=2,
            ff=168,
            layers=3,
            eps=1e-6,
            theta=50000.0,
            embed=2.0,
            logits=3.0,
            residual=0.7,
            attention=0.25,
        ),
    ][variant]
    vision = [
        dict(h=64, heads=2, ff=136, layers=4, patch=8, image=64, scale=4, deepstack=[0, 1, 3], tiles=6),
        dict(h=72, heads=2, ff=136, layers=3, patch=14, image=84, scale=2, deepstack=[0, 2], tiles=4),
    ][variant]
    side = vision["image"] // vision["patch"] // vision["scale"]
    config = {
        "architectures": ["GraniteDoclingForConditionalGeneration"], "density_router_hidden_size": [24, None][variant],
        "density_router_loss_weight": 0.1, "density_router_threshold": 0.4, "dtype": "bfloat16",
        "image_token_id": ids("<image>"), "model_type": "granite_docling", "pad_token_id": ids("<|pad|>"),
        "text_config": {
            "attention_bias": False, "attention_dropout": 0.0, "attention_multiplier": text["attention"],
            "bos_token_id": ids("<|end_of_text|>"), "dtype": "bfloat16", "embedding_multiplier": text["embed"],
            "eos_token_id": ids("<|end_of_text|>"), "hidden_act": "silu", "hidden_size": text["h"],
            "initializer_range": 0.02, "intermediate_size": text["ff"], "logits_scaling": text["logits"],
            "max_position_embeddings": 32768, "mlp_bias": False, "model_type": "granite_docling_text",
            "num_attention_heads": text["heads"], "num_hidden_layers": text["layers"],
            "num_key_value_heads": text["kv"], "pad_token_id": ids("<|pad|>"), "residual_multiplier": text["residual"],
            "rms_norm_eps": text["eps"], "rope_parameters": {"rope_theta": text["theta"], "rope_type": "default"},
            "tie_word_embeddings": not variant, "use_cache": True, "vocab_size": pad_to(tokenizer.get_vocab_size()),
        },
        "tie_word_embeddings": not variant, "transformers_version": "5.21.0.dev0", "use_cache": True,
        "vision_config": {
            "attention_dropout": 0.0, "deepstack_visual_indexes": vision["deepstack"], "dtype": "bfloat16",
            "hidden_act": "gelu_pytorch_tanh", "hidden_size": vision["h"], "image_size": vision["image"],
            "initializer_range": 0.02, "intermediate_size": vision["ff"], "layer_norm_eps": 1e-6,
            "model_type": "granite_docling_vision", "num_attention_heads": vision["heads"], "num_channels": 3,
            "num_hidden_layers": vision["layers"], "out_hidden_size": text["h"], "patch_size": vision["patch"],
            "scale_factor": vision["scale"], "use_fine_route": not variant,
        },
    }  # fmt: skip
    images = {
        "crop_to_patches": True, "dense_max_aspect": 0.0, "dense_max_patches": 0, "dense_max_scale": 0.0,
        "dense_min_aspect": 0.0, "do_convert_rgb": True, "do_normalize": True, "do_rescale": True, "do_resize": True,
        "fine_route": False, "image_mean": HALF, "image_processor_type": "GraniteDoclingImageProcessor",
        "image_std": HALF, "max_patches": vision["tiles"], "min_patches": 1, "resample": 3, "rescale_factor": RESCALE,
        "size": {"height": vision["image"], "width": vision["image"]},
    }  # fmt: skip
    extra = {"mtp.blocks.0.input_norm.weight": (text["h"],), "mtp.blocks.0.proj.weight": (text["h"], 2 * text["h"])}
    return Checkpoint(
        config, tokenizer, docling_tokenizer_config("GraniteDoclingProcessor"), {}, GRANITE_DOCLING_TEMPLATE,
        {"bos_token_id": ids("<|end_of_text|>"), "eos_token_id": ids("<|end_of_text|>"), "pad_token_id": ids("<|pad|>")},
        {"processor_config.json": {"image_processor": images, "image_seq_len": side * side,
                                   "processor_class": "GraniteDoclingProcessor"}},
        [ids("<|end_of_text|>")], "<image>", tiled=True, extra_tensors=None if variant else unread(extra),
        head_gain=2.0 if variant else 1.0,
        extra_kwargs=None if variant else {"fine_route": True},
    )  # fmt: skip


def idefics3(variant: int) -> Checkpoint:
    """granite-docling-258M: Idefics3 (as SmolVLM with tiles) with a Llama-shaped text model."""
    tokenizer, specials = docling_tokenizer([400, 430][variant], 6)
    ids = tokenizer.token_to_id
    text = [dict(h=96, heads=3, kv=1, hd=32, ff=200, layers=3), dict(h=128, heads=2, kv=1, hd=64, ff=168, layers=2)][
        variant
    ]
    vision = [
        dict(h=96, heads=2, ff=176, layers=2, patch=16, image=64, scale=2, longest=192),
        dict(h=96, heads=3, ff=152, layers=3, patch=14, image=84, scale=3, longest=252),
    ][variant]
    side = vision["image"] // vision["patch"] // vision["scale"]
    vocab = pad_to(tokenizer.get_vocab_size())
    config = {
        "architectures": ["Idefics3ForConditionalGeneration"], "bos_token_id": ids("<|end_of_text|>"),
        "eos_token_id": ids("<|end_of_text|>"), "image_token_id": ids("<image>"), "model_type": "idefics3",
        "pad_token_id": ids("<|pad|>"), "scale_factor": vision["scale"],
        "text_config": {
            "architectures": ["LlamaForCausalLM"], "attention_bias": False, "attention_dropout": 0.0,
            "bos_token_id": ids("<|end_of_text|>"), "eos_token_id": ids("<|end_of_text|>"), "head_dim": text["hd"],
            "hidden_act": "silu", "hidden_size": text["h"], "initializer_range": 0.02, "intermediate_size": text["ff"],
            "max_position_embeddings": 8192, "mlp_bias": False, "model_type": "llama",
            "num_attention_heads": text["heads"], "num_hidden_layers": text["layers"],
            "num_key_value_heads": text["kv"], "pad_token_id": ids("<|pad|>"), "pretraining_tp": 1,
            "rms_norm_eps": [1e-5, 1e-6][variant], "rope_scaling": None, "rope_theta": [100000.0, 30000.0][variant],
            "tie_word_embeddings": not variant, "torch_dtype": "bfloat16", "use_cache": True, "vocab_size": vocab,
        },
        "tie_word_embeddings": not variant, "torch_dtype": "bfloat16", "transformers_version": "4.53.3", "use_cache": True,
        "vision_config": {
            "attention_dropout": 0.0, "hidden_act": "gelu_pytorch_tanh", "hidden_size": vision["h"],
            "image_size": vision["image"], "initializer_range": 0.02, "intermediate_size": vision["ff"],
            "layer_norm_eps": 1e-6, "max_image_size": {"longest_edge": vision["image"]},
            "model_type": "idefics3_vision", "num_attention_heads": vision["heads"], "num_channels": 3,
            "num_hidden_layers": vision["layers"], "patch_size": vision["patch"],
            "size": {"longest_edge": vision["longest"]},
        },
        "vocab_size": vocab,
    }  # fmt: skip
    preprocessor = {
        "do_convert_rgb": True, "do_image_splitting": True, "do_normalize": True, "do_pad": True, "do_rescale": True,
        "do_resize": True, "image_mean": HALF, "image_processor_type": "Idefics3ImageProcessor", "image_std": HALF,
        "max_image_size": {"longest_edge": vision["image"]}, "processor_class": "Idefics3Processor", "resample": 1,
        "rescale_factor": RESCALE, "size": {"longest_edge": vision["longest"]},
    }  # fmt: skip
    return Checkpoint(
        config, tokenizer, docling_tokenizer_config("Idefics3Processor"),
        {"additional_special_tokens": specials[-3:], "bos_token": "<|end_of_text|>", "eos_token": "<|end_of_text|>",
         "pad_token": "<|pad|>", "unk_token": "<|end_of_text|>"},
        GRANITE_DOCLING_TEMPLATE,
        {"bos_token_id": ids("<|end_of_text|>"), "eos_token_id": ids("<|end_of_text|>"), "pad_token_id": ids("<|pad|>")},
        {"preprocessor_config.json": preprocessor,
         "processor_config.json": {"image_seq_len": side * side, "processor_class": "Idefics3Processor"}},
        [ids("<|end_of_text|>")], "<image>", tiled=True,
    )  # fmt: skip
