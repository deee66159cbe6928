"""Gemma 3."""

from checkpoint import HALF, RESCALE, Checkpoint, brief, pad_to
from families.llava import LLAVA_RENAME
from tiny_tokenizers import byte_fallback

GEMMA3_TEMPLATE = """{{ bos_token }}
{%- if messages[0]['role'] == 'system' -%}
    {%- if messages[0]['content'] is string -%}
        {%- set prefix = messages[0]['content'] + '\\n\\n' -%}
    {%- else -%}
        {%- set prefix = messages[0]['content'][0]['text'] + '\\n\\n' -%}
    {%- endif -%}
    {%- set turns = messages[1:] -%}
{%- else -%}
    {%- set prefix = '' -%}
    {%- set turns = messages -%}
{%- endif -%}
{%- for message in turns -%}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
        {{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}
    {%- endif -%}
    {%- set role = 'model' if message['role'] == 'assistant' else message['role'] -%}
    {{ '<start_of_turn>' + role + '\\n' + (prefix if loop.first else '') }}
    {%- if message['content'] is string -%}
        {{ message['content'] | trim }}
    {%- elif message['content'] is iterable -%}
        {%- for item in message['content'] -%}
            {%- if item['type'] == 'image' -%}
                {{ '<start_of_image>' }}
            {%- elif item['type'] == 'text' -%}
                {{ item['text'] | trim }}
            {%- endif -%}
        {%- endfor -%}
    {%- else -%}
        {{ raise_exception('Invalid content type') }}
    {%- endif -%}
    {{ '<end_of_turn>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{ '<start_of_turn>model\\n' }}
{%- endif -%}
"""


def gemma3(variant: int) -> Checkpoint:
    """Gemma 3: SigLIP with average pooling; sliding and global layers with two rotary bases; (1 + w) norms."""
    first = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "[multimodal]", "<unused0>", "<start_of_turn>",
             "<end_of_turn>", "<start_of_image>", "<end_of_image>"]  # fmt: skip
    tokenizer = byte_fallback([240, 290][variant], first, ["<image_soft_token>"], "<bos>", "<unk>", False,
                              plain=("<mask>", "[multimodal]", "<unused0>"))  # fmt: skip
    ids = tokenizer.token_to_id
    text = [dict(h=96, heads=2, kv=1, hd=256, ff=168, layers=4, pattern=3, window=16, scale=8.0, query=256,
                 theta=1000000.0, local=10000.0, eps=1e-6),
            dict(h=128, heads=4, kv=2, hd=64, ff=200, layers=5, pattern=2, window=24, scale=4.0, query=168,
                 theta=400000.0, local=20000.0, eps=1e-5)][variant]  # fmt: skip
    vision = [
        dict(h=144, heads=2, ff=216, layers=2, image=168, patch=14, tokens=9),
        dict(h=128, heads=2, ff=176, layers=3, image=128, patch=16, tokens=16),
    ][variant]
    config = {
        "architectures": ["Gemma3ForConditionalGeneration"], "boi_token_index": ids("<start_of_image>"),
        "eoi_token_index": ids("<end_of_image>"), "eos_token_id": [1, ids("<end_of_turn>")],
        "image_token_index": ids("<image_soft_token>"), "initializer_range": 0.02,
        "mm_tokens_per_image": vision["tokens"], "model_type": "gemma3",
        "text_config": {
            "head_dim": text["hd"], "hidden_size": text["h"], "intermediate_size": text["ff"],
            "model_type": "gemma3_text", "num_attention_heads": text["heads"], "num_hidden_layers": text["layers"],
            "num_key_value_heads": text["kv"], "query_pre_attn_scalar": text["query"], "rms_norm_eps": text["eps"],
            "rope_local_base_freq": text["local"], "rope_scaling": {"factor": text["scale"], "rope_type": "linear"},
            "rope_theta": text["theta"], "sliding_window": text["window"], "sliding_window_pattern": text["pattern"],
            "vocab_size": pad_to(tokenizer.get_vocab_size()),
        },
        "torch_dtype": "bfloat16", "transformers_version": "4.50.0.dev0",
        "vision_config": {
            "hidden_size": vision["h"], "image_size": vision["image"], "intermediate_size": vision["ff"],
            "model_type": "siglip_vision_model", "num_attention_heads": vision["heads"],
            "num_hidden_layers": vision["layers"], "patch_size": vision["patch"], "vision_use_head": False,
        },
    }  # fmt: skip
    preprocessor = {
        "do_convert_rgb": None, "do_normalize": True, "do_pan_and_scan": None, "do_rescale": True, "do_resize": True,
        "image_mean": HALF, "image_processor_type": "Gemma3ImageProcessor", "image_seq_length": vision["tokens"],
        "image_std": HALF, "pan_and_scan_max_num_crops": None, "pan_and_scan_min_crop_size": None,
        "pan_and_scan_min_ratio_to_activate": None, "processor_class": "Gemma3Processor", "resample": 2,
        "rescale_factor": RESCALE, "size": {"height": vision["image"], "width": vision["image"]},
    }  # fmt: skip
    extra = {"boi_token": "<start_of_image>", "eoi_token": "<end_of_image>", "image_token": "<image_soft_token>"}
    tokenizer_config = {
        "add_bos_token": True, "add_eos_token": False, **extra, "bos_token": "<bos>",
        "clean_up_tokenization_spaces": False, "eos_token": "<eos>", "extra_special_tokens": extra,
        "model_max_length": 1000000000000000019884624838656, "pad_token": "<pad>", "processor_class": "Gemma3Processor",
        "sp_model_kwargs": None, "spaces_between_special_tokens": False, "tokenizer_class": "GemmaTokenizer",
        "unk_token": "<unk>", "use_default_system_prompt": False,
    }  # fmt: skip
    return Checkpoint(
        config, tokenizer, tokenizer_config,
        {**extra, "bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>", "unk_token": "<unk>"},
        GEMMA3_TEMPLATE,
        {"bos_token_id": 2, "do_sample": True, "eos_token_id": [1, ids("<end_of_turn>")], "pad_token_id": 0,
         "top_k": 64, "top_p": 0.95},
        {"preprocessor_config.json": preprocessor,
         "processor_config.json": {"image_seq_length": vision["tokens"], "processor_class": "Gemma3Processor"}},
        [ids("<end_of_turn>"), 1], "<image_soft_token>", rename=LLAVA_RENAME, plus_one_norms=True,
    )  # fmt: skip


def gemma3_resaved(variant: int) -> Checkpoint:
    """Tensor names of some 4.5x versions; rope_parameters without the bases, which stand beside them."""
    checkpoint = gemma3(variant)
    text = checkpoint.config["text_config"]
    text["num_hidden_layers"] = 3
    checkpoint.config["vision_config"]["num_hidden_layers"] = 2
    text["rope_theta"], text["rope_local_base_freq"] = [(600000.0, 15000.0), (400000.0, 20000.0)][variant]
    text["rope_parameters"] = {
        "full_attention": text.pop("rope_scaling"),
        "sliding_attention": {"rope_type": "default"},
    }
    checkpoint.config["transformers_version"] = "4.57.1"
    checkpoint.seed = 2
    checkpoint.rename = [(r"^model\.vision_tower\.", "model.vision_tower.vision_model.")]
    return brief(checkpoint, ["text", "image", "two_images"])
