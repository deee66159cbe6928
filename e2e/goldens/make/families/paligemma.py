"""PaliGemma 1 and 2."""

from checkpoint import HALF, RESCALE, Checkpoint, pad_to
from families.llava import LLAVA_RENAME
from tiny_tokenizers import byte_fallback

PALIGEMMA_TEMPLATE = """{% for message in messages %}{% if message['content'] is not string %}{% for content in message['content'] %}\
{% if content['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}{% endif %}{% endfor %}\
{% for message in messages %}{% if message['content'] is string %}{{ message['content'] }}{% else %}\
{% for content in message['content'] %}{% if content['type'] == 'text' %}{{ content['text'] }}{% endif %}{% endfor %}{% endif %}\
{% if not loop.last %}{{ '\\n' }}{% endif %}{% endfor %}"""


def paligemma(variant: int) -> Checkpoint:
    """PaliGemma: SigLIP, linear projector, Gemma text model with full attention over image and prompt."""
    first = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    last = [f"<loc{i:04d}>" for i in range(8)] + [f"<seg{i:03d}>" for i in range(4)] + ["<image>"]
    tokenizer = byte_fallback([250, 280][variant], first, last, "<bos>", "<unk>", False, plain=("<mask>", *last[:-1]))
    ids = tokenizer.token_to_id
    text = [dict(h=96, heads=2, kv=1, hd=256, ff=224, layers=3), dict(h=128, heads=3, kv=1, hd=64, ff=248, layers=2)][
        variant
    ]
    vision = [dict(h=144, heads=2, ff=216, layers=2, image=56), dict(h=128, heads=2, ff=176, layers=3, image=42)][
        variant
    ]
    tokens = (vision["image"] // 14) ** 2
    vocab = pad_to(tokenizer.get_vocab_size())
    config = {
        "_vocab_size": ids("<image>"), "architectures": ["PaliGemmaForConditionalGeneration"], "bos_token_id": 2,
        "eos_token_id": 1, "hidden_size": text["h"], "image_token_index": ids("<image>"), "model_type": "paligemma",
        "pad_token_id": 0, "projection_dim": text["h"],
        "text_config": {
            "head_dim": text["hd"], "hidden_size": text["h"], "intermediate_size": text["ff"], "model_type": "gemma",
            "num_attention_heads": text["heads"], "num_hidden_layers": text["layers"], "num_image_tokens": tokens,
            "num_key_value_heads": text["kv"], "rms_norm_eps": [1e-6, 1e-5][variant],
            "rope_theta": [10000.0, 30000.0][variant], "torch_dtype": "float32", "vocab_size": vocab,
        },
        "torch_dtype": "bfloat16", "transformers_version": "4.41.0.dev0",
        "vision_config": {
            "hidden_size": vision["h"], "image_size": vision["image"], "intermediate_size": vision["ff"],
            "model_type": "siglip_vision_model", "num_attention_heads": vision["heads"],
            "num_hidden_layers": vision["layers"], "num_image_tokens": tokens, "patch_size": 14,
            "projection_dim": text["h"], "projector_hidden_act": "gelu_fast", "vision_use_head": False,
        },
    }  # fmt: skip
    preprocessor = {
        "do_convert_rgb": None, "do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": HALF,
        "image_processor_type": "SiglipImageProcessor", "image_seq_length": tokens, "image_std": HALF,
        "processor_class": "PaliGemmaProcessor", "resample": 3, "rescale_factor": RESCALE,
        "size": {"height": vision["image"], "width": vision["image"]},
    }  # fmt: skip
    tokenizer_config = {
        "add_bos_token": True, "add_eos_token": False, "additional_special_tokens": ["<image>"], "bos_token": "<bos>",
        "clean_up_tokenization_spaces": False, "eos_token": "<eos>", "extra_special_tokens": {"image_token": "<image>"},
        "model_max_length": 1000000000000000019884624838656, "pad_token": "<pad>",
        "processor_class": "PaliGemmaProcessor", "sp_model_kwargs": {}, "spaces_between_special_tokens": False,
        "tokenizer_class": "GemmaTokenizer", "unk_token": "<unk>", "use_default_system_prompt": False,
    }  # fmt: skip
    return Checkpoint(
        config, tokenizer, tokenizer_config,
        {"additional_special_tokens": ["<image>"], "bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>",
         "unk_token": "<unk>"},
        PALIGEMMA_TEMPLATE, {"bos_token_id": 2, "eos_token_id": 1, "pad_token_id": 0},
        {"preprocessor_config.json": preprocessor}, [1], "<image>", rename=LLAVA_RENAME, plus_one_norms=True,
        system=False, text_only=False, interleaved=False,
    )  # fmt: skip


def paligemma2(variant: int) -> Checkpoint:
    """PaliGemma 2: the same with Gemma 2's text model (post-norms, softcapping, every other layer a sliding window)."""
    checkpoint = paligemma(variant)
    old = checkpoint.config["text_config"]
    text = [dict(hd=64, ff=168, layers=4, cap=3.0, final=15.0, query=24, window=12),
            dict(hd=48, ff=200, layers=3, cap=4.0, final=12.0, query=32, window=16)][variant]  # fmt: skip
    checkpoint.config["text_config"] = {
        "architectures": ["Gemma2ForCausalLM"], "attn_logit_softcapping": text["cap"],
        "cache_implementation": "hybrid", "eos_token_id": [1, 107], "final_logit_softcapping": text["final"],
        "head_dim": text["hd"], "hidden_act": "gelu_pytorch_tanh", "hidden_activation": "gelu_pytorch_tanh",
        "hidden_size": old["hidden_size"], "intermediate_size": text["ff"], "model_type": "gemma2",
        "num_attention_heads": old["num_attention_heads"], "num_hidden_layers": text["layers"],
        "num_image_tokens": old["num_image_tokens"], "num_key_value_heads": old["num_key_value_heads"],
        "query_pre_attn_scalar": text["query"], "sliding_window": text["window"], "torch_dtype": "bfloat16",
        "vocab_size": old["vocab_size"],
    }  # fmt: skip
    checkpoint.config["transformers_version"] = "4.46.0.dev0"
    return checkpoint
