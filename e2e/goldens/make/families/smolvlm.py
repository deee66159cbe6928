"""SmolVLM2: SigLIP tower, pixel shuffle, Llama text model."""

from checkpoint import HALF, RESCALE, Checkpoint, pad_to
from tiny_tokenizers import byte_level

SMOLVLM_TEMPLATE = """<|im_start|>{% for message in messages %}{{ message['role'] | capitalize }}\
{% if message['content'] is not string and message['content'][0]['type'] == 'image' %}{{ ':' }}{% else %}{{ ': ' }}{% endif %}\
{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for line in message['content'] %}\
{% if line['type'] == 'text' %}{{ line['text'] }}{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}{% endif %}\
<end_of_utterance>
{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"""


def smolvlm(variant: int, tiles: bool = False) -> Checkpoint:
    """SmolVLM2: SigLIP tower, pixel shuffle, Llama text model."""
    first = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<repo_name>", "<reponame>", "<file_sep>", "<filename>"]
    last = ["<fake_token_around_image>", "<image>", "<end_of_utterance>"]
    grid = [f"<row_{r}_col_{c}>" for r in range(1, 7) for c in range(1, 7)]
    last = ["<global-img>"] + grid + last
    tokenizer = byte_level([440, 400][variant], None, first, last, digits=True)
    ids = tokenizer.token_to_id
    if tiles:
        text = [dict(h=96, heads=3, kv=1, ff=224, layers=2), dict(h=128, heads=4, kv=2, ff=176, layers=3)][variant]
        vision = [
            dict(h=144, heads=2, ff=200, layers=2, patch=14, image=56, scale=2, longest=224),
            dict(h=128, heads=2, ff=216, layers=3, patch=16, image=64, scale=4, longest=192),
        ][variant]
    else:
        text = [dict(h=128, heads=2, kv=1, ff=216, layers=3), dict(h=144, heads=4, kv=2, ff=208, layers=4)][variant]
        vision = [
            dict(h=128, heads=2, ff=200, layers=2, patch=16, image=128, scale=2, longest=256),
            dict(h=144, heads=2, ff=184, layers=2, patch=14, image=84, scale=3, longest=336),
        ][variant]
    side = vision["image"] // vision["patch"] // vision["scale"]
    vocab = pad_to(tokenizer.get_vocab_size())
    config = {
        "architectures": ["SmolVLMForConditionalGeneration"], "image_token_id": ids("<image>"), "model_type": "smolvlm",
        "pad_token_id": ids("<|im_end|>"), "scale_factor": vision["scale"],
        "text_config": {
            "architectures": ["VLlama3ForCausalLM"], "attention_bias": False, "head_dim": 64 if not variant else 48,
            "hidden_act": "silu", "hidden_size": text["h"], "initializer_range": 0.02, "intermediate_size": text["ff"],
            "max_position_embeddings": 8192, "mlp_bias": False, "model_type": "llama",
            "num_attention_heads": text["heads"], "num_hidden_layers": text["layers"],
            "num_key_value_heads": text["kv"], "pad_token_id": ids("<|im_end|>"), "bos_token_id": ids("<|im_start|>"),
            "eos_token_id": ids("<end_of_utterance>"), "rms_norm_eps": [1e-5, 1e-6][variant], "rope_scaling": None,
            "rope_theta": [100000, 273768.0][variant], "torch_dtype": "bfloat16", "use_cache": True, "vocab_size": vocab,
        },
        "tie_word_embeddings": bool(variant and not tiles), "torch_dtype": "bfloat16",
        "transformers_version": "4.47.1", "use_cache": True,
        "vision_config": {
            "attention_dropout": 0.0, "hidden_act": "gelu_pytorch_tanh", "hidden_size": vision["h"],
            "image_size": vision["image"], "initializer_range": 0.02, "intermediate_size": vision["ff"],
            "layer_norm_eps": [1e-6, 1e-5][variant], "max_image_size": {"longest_edge": vision["image"]},
            "model_type": "smolvlm_vision", "num_attention_heads": vision["heads"], "num_channels": 3,
            "num_hidden_layers": vision["layers"], "patch_size": vision["patch"],
            "size": {"longest_edge": vision["longest"]}, "tie_word_embeddings": False,
        },
        "vocab_size": vocab,
    }  # fmt: skip
    preprocessor = {
        "do_convert_rgb": True, "do_image_splitting": tiles, "do_normalize": True, "do_pad": True, "do_rescale": True,
        "do_resize": True, "image_mean": HALF, "image_processor_type": "SmolVLMImageProcessor", "image_std": HALF,
        "max_image_size": {"longest_edge": vision["image"]}, "processor_class": "SmolVLMProcessor", "resample": 1,
        "rescale_factor": RESCALE, "size": {"longest_edge": vision["longest"]},
        "video_sampling": {"fps": 1, "max_frames": 64, "video_size": {"longest_edge": vision["image"]}},
    }  # fmt: skip
    extra = {
        "end_of_utterance_token": "<end_of_utterance>",
        "fake_image_token": "<fake_token_around_image>",
        "global_image_token": "<global-img>",
        "image_token": "<image>",
    }
    tokenizer_config = {
        "add_prefix_space": False, "bos_token": "<|im_start|>", "clean_up_tokenization_spaces": False,
        "eos_token": "<end_of_utterance>", **extra, "extra_special_tokens": extra, "legacy": False,
        "model_max_length": 8192, "pad_token": "<|im_end|>", "processor_class": "SmolVLMProcessor",
        "tokenizer_class": "GPT2Tokenizer", "truncation_side": "left", "unk_token": "<|endoftext|>",
    }  # fmt: skip
    return Checkpoint(
        config, tokenizer, tokenizer_config,
        {"additional_special_tokens": last[-3:], **extra, "bos_token": "<|im_start|>",
         "eos_token": "<end_of_utterance>", "pad_token": "<|im_end|>", "unk_token": "<|endoftext|>"},
        SMOLVLM_TEMPLATE,
        {"bos_token_id": ids("<|im_start|>"), "eos_token_id": ids("<end_of_utterance>"),
         "pad_token_id": ids("<|im_end|>")},
        {"preprocessor_config.json": preprocessor,
         "processor_config.json": {"image_seq_len": side * side, "processor_class": "SmolVLMProcessor"}},
        [ids("<end_of_utterance>")], "<image>", tiled=tiles,
    )  # fmt: skip
