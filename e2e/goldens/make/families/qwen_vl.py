"""Qwen2-VL, Qwen2.5-VL and Qwen3-VL."""

from checkpoint import CLIP_MEAN, CLIP_STD, HALF, Checkpoint, brief, pad_to
from tiny_tokenizers import QWEN2_REGEX, byte_level

QWEN2_VL_TEMPLATE = """{% set image_count = namespace(value=0) %}{% for message in messages %}\
{% if loop.first and message['role'] != 'system' %}<|im_start|>system
You are a helpful assistant.<|im_end|>
{% endif %}<|im_start|>{{ message['role'] }}
{% if message['content'] is string %}{{ message['content'] }}<|im_end|>
{% else %}{% for content in message['content'] %}\
{% if content['type'] == 'image' or 'image' in content or 'image_url' in content %}\
{% set image_count.value = image_count.value + 1 %}{% if add_vision_id %}Picture {{ image_count.value }}: {% endif %}\
<|vision_start|><|image_pad|><|vision_end|>{% elif 'text' in content %}{{ content['text'] }}{% endif %}{% endfor %}<|im_end|>
{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


QWEN3_VL_TEMPLATE = """{%- macro render(content) -%}
    {%- if content is string -%}
        {{- content -}}
    {%- else -%}
        {%- for item in content -%}
            {%- if 'image' in item or 'image_url' in item or item.type == 'image' -%}
                {{- '<|vision_start|><|image_pad|><|vision_end|>' -}}
            {%- elif 'text' in item -%}
                {{- item.text -}}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro -%}
{%- for message in messages %}
    {{- '<|im_start|>' + message.role + '\\n' }}
    {{- render(message.content) }}
    {{- '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""


QWEN2_5_TOOLS_TEMPLATE = """{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- if messages[0]['role'] == 'system' %}
        {{- messages[0]['content'] }}
    {%- else %}
        {{- 'You are a helpful assistant.' }}
    {%- endif %}
    {{- "\\n\\n# Tools\\n\\nFunction signatures, one a line, within <tools></tools>:\\n<tools>" }}
    {%- for tool in tools %}
        {{- "\\n" + (tool | tojson) }}
    {%- endfor %}
    {{- "\\n</tools>\\n\\nAnswer a call as JSON within <tool_call></tool_call>.<|im_end|>\\n" }}
{%- elif messages[0]['role'] == 'system' %}
    {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}
{%- else %}
    {{- '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if message.role == 'user' or (message.role == 'system' and not loop.first) or (message.role == 'assistant' and not message.tool_calls) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == 'assistant' %}
        {{- '<|im_start|>' + message.role }}
        {%- if message.content %}
            {{- '\\n' + message.content }}
        {%- endif %}
        {%- for call in message.tool_calls %}
            {{- '\\n<tool_call>\\n{"name": "' + call.function.name + '", "arguments": ' + (call.function.arguments | tojson) + '}\\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == 'tool' %}
        {{- '<|im_start|>user\\n<tool_response>\\n' + message.content + '\\n</tool_response><|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""


QWEN_SPECIALS = [
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>",
    "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>",
    "<|image_pad|>", "<|video_pad|>",
]  # fmt: skip


QWEN_PLAIN = ["<tool_call>", "</tool_call>"]


QWEN_MAP = {"additional_special_tokens": QWEN_SPECIALS[1:], "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}


def qwen_tokenizer(size: int, extra: list[str] = (), plain: list[str] = ()):
    """Qwen2 tokenizer with the vision tokens after the vocabulary."""
    tokens = QWEN_SPECIALS + QWEN_PLAIN + list(plain) + list(extra)
    return byte_level(size, QWEN2_REGEX, [], tokens, nfc=True, plain=(*QWEN_PLAIN, *plain))


def qwen_tokenizer_config(processor: str, **more) -> dict:
    return {
        "add_bos_token": False, "add_prefix_space": False, "additional_special_tokens": QWEN_SPECIALS[1:],
        "bos_token": None, "clean_up_tokenization_spaces": False, "eos_token": "<|im_end|>", "errors": "replace",
        "model_max_length": 32768, "pad_token": "<|endoftext|>", "processor_class": processor,
        "split_special_tokens": False, "tokenizer_class": "Qwen2Tokenizer", "unk_token": None, **more,
    }  # fmt: skip


QWEN2_RENAME = [(r"^model\.visual\.", "visual."), (r"^model\.language_model\.", "model.")]


def qwen2_family(variant: int, five: bool) -> Checkpoint:
    """Qwen2-VL and Qwen2.5-VL: dynamic resolution, 2-D rotary vision tower, M-RoPE text model with qkv biases."""
    tokenizer = qwen_tokenizer([420, 460][variant])
    ids = tokenizer.token_to_id
    name = "Qwen2_5_VL" if five else "Qwen2VL"
    if five:
        text = [dict(h=128, heads=2, kv=1, ff=152, layers=3), dict(h=192, heads=3, kv=1, ff=248, layers=2)][variant]
        vision = [
            {"depth": 3, "hidden_act": "silu", "hidden_size": 160, "intermediate_size": 140, "num_heads": 2,
             "in_chans": 3, "out_hidden_size": text["h"], "patch_size": 14, "spatial_merge_size": 2,
             "spatial_patch_size": 14, "window_size": 56, "fullatt_block_indexes": [1], "tokens_per_second": 2,
             "temporal_patch_size": 2},
            {"depth": 4, "hidden_act": "silu", "hidden_size": 128, "intermediate_size": 172, "num_heads": 2,
             "in_chans": 3, "out_hidden_size": text["h"], "patch_size": 8, "spatial_merge_size": 2,
             "spatial_patch_size": 8, "window_size": 64, "fullatt_block_indexes": [0, 3], "tokens_per_second": 4,
             "temporal_patch_size": 2},
        ][variant]  # fmt: skip
    else:
        text = [dict(h=128, heads=2, kv=1, ff=200, layers=3), dict(h=192, heads=3, kv=1, ff=232, layers=4)][variant]
        vision = [
            {"depth": 2, "embed_dim": 160, "mlp_ratio": 2, "num_heads": 2, "in_chans": 3, "hidden_size": text["h"],
             "patch_size": 14, "spatial_merge_size": 2, "spatial_patch_size": 14, "temporal_patch_size": 2},
            {"depth": 3, "embed_dim": 96, "mlp_ratio": 3, "num_heads": 3, "in_chans": 3, "hidden_size": text["h"],
             "patch_size": 8, "spatial_merge_size": 3, "spatial_patch_size": 8, "temporal_patch_size": 2},
        ][variant]  # fmt: skip
    factor = vision["patch_size"] * vision["spatial_merge_size"]
    config = {
        "architectures": [f"{name}ForConditionalGeneration"], "attention_dropout": 0.0,
        "bos_token_id": ids("<|endoftext|>"), "eos_token_id": ids("<|im_end|>"),
        "vision_start_token_id": ids("<|vision_start|>"), "vision_end_token_id": ids("<|vision_end|>"),
        "vision_token_id": ids("<|vision_pad|>"), "image_token_id": ids("<|image_pad|>"),
        "video_token_id": ids("<|video_pad|>"), "hidden_act": "silu", "hidden_size": text["h"],
        "initializer_range": 0.02, "intermediate_size": text["ff"], "max_position_embeddings": 32768,
        "max_window_layers": text["layers"], "model_type": "qwen2_5_vl" if five else "qwen2_vl",
        "num_attention_heads": text["heads"], "num_hidden_layers": text["layers"], "num_key_value_heads": text["kv"],
        "rms_norm_eps": [1e-6, 1e-5][variant], "rope_theta": [1000000.0, 500000.0][variant], "sliding_window": 32768,
        "tie_word_embeddings": not variant, "torch_dtype": "bfloat16", "transformers_version": "4.41.2",
        "use_cache": True, "use_sliding_window": False, "vision_config": vision,
        "rope_scaling": {"type": "mrope", "mrope_section": [[8, 12, 12], [12, 10, 10]][variant]},
        "vocab_size": pad_to(tokenizer.get_vocab_size()),
    }  # fmt: skip
    preprocessor = {
        "min_pixels": 4 * factor * factor, "max_pixels": [30, 42][variant] * factor * factor,
        "patch_size": vision["patch_size"], "temporal_patch_size": 2, "merge_size": vision["spatial_merge_size"],
        "image_mean": CLIP_MEAN, "image_std": CLIP_STD, "image_processor_type": "Qwen2VLImageProcessor",
        "processor_class": f"{name}Processor",
    }  # fmt: skip
    return Checkpoint(
        config, tokenizer, qwen_tokenizer_config(f"{name}Processor"), QWEN_MAP, QWEN2_VL_TEMPLATE,
        {"bos_token_id": ids("<|endoftext|>"), "do_sample": True, "pad_token_id": ids("<|endoftext|>"),
         "eos_token_id": [ids("<|im_end|>"), ids("<|endoftext|>")], "repetition_penalty": 1.0, "temperature": 0.1,
         "top_k": 1, "top_p": 0.001},
        {"preprocessor_config.json": preprocessor},
        [ids("<|im_end|>"), ids("<|endoftext|>")], "<|image_pad|>", rename=QWEN2_RENAME, seed=1 if five else 2,
    )  # fmt: skip


def qwen2_5_vl_published(variant: int) -> Checkpoint:
    """As Qwen published it: image template in chat_template.json, a text-only tool template in tokenizer_config.json."""
    checkpoint = qwen2_family(variant, five=True)
    checkpoint.config["vision_config"]["hidden_size"] = [80, 64][variant]
    checkpoint.template_file = "chat_template.json"
    checkpoint.tokenizer_config["chat_template"] = QWEN2_5_TOOLS_TEMPLATE
    return brief(checkpoint, ["text", "image", "two_turns", "system"])


def qwen3_vl(variant: int) -> Checkpoint:
    """Qwen3-VL: interpolated position embeddings, DeepStack, interleaved M-RoPE, QK-norm."""
    tokenizer = qwen_tokenizer([430, 410][variant])
    ids = tokenizer.token_to_id
    text = [
        dict(h=96, heads=2, kv=1, hd=128, ff=224, layers=4, section=[24, 20, 20], theta=5000000, eps=1e-6),
        dict(h=128, heads=4, kv=2, hd=64, ff=176, layers=3, section=[12, 10, 10], theta=1000000, eps=1e-5),
    ][variant]
    vision = [
        dict(h=64, heads=2, ff=152, depth=4, patch=16, deepstack=[0, 1, 2], positions=36),
        dict(h=128, heads=2, ff=168, depth=3, patch=14, deepstack=[0, 2], positions=64),
    ][variant]
    factor = vision["patch"] * 2
    config = {
        "architectures": ["Qwen3VLForConditionalGeneration"], "image_token_id": ids("<|image_pad|>"),
        "model_type": "qwen3_vl",
        "text_config": {
            "attention_bias": False, "attention_dropout": 0.0, "bos_token_id": ids("<|endoftext|>"),
            "dtype": "bfloat16", "eos_token_id": ids("<|im_end|>"), "head_dim": text["hd"], "hidden_act": "silu",
            "hidden_size": text["h"], "initializer_range": 0.02, "intermediate_size": text["ff"],
            "max_position_embeddings": 262144, "model_type": "qwen3_vl_text", "num_attention_heads": text["heads"],
            "num_hidden_layers": text["layers"], "num_key_value_heads": text["kv"], "rms_norm_eps": text["eps"],
            "rope_scaling": {"mrope_interleaved": True, "mrope_section": text["section"], "rope_type": "default"},
            "rope_theta": text["theta"], "tie_word_embeddings": not variant, "use_cache": True,
            "vocab_size": pad_to(tokenizer.get_vocab_size()),
        },
        "tie_word_embeddings": not variant, "transformers_version": "4.57.0.dev0",
        "video_token_id": ids("<|video_pad|>"),
        "vision_config": {
            "deepstack_visual_indexes": vision["deepstack"], "depth": vision["depth"],
            "hidden_act": "gelu_pytorch_tanh", "hidden_size": vision["h"], "in_channels": 3, "initializer_range": 0.02,
            "intermediate_size": vision["ff"], "model_type": "qwen3_vl", "num_heads": vision["heads"],
            "num_position_embeddings": vision["positions"], "out_hidden_size": text["h"],
            "patch_size": vision["patch"], "spatial_merge_size": 2, "temporal_patch_size": 2,
        },
        "vision_end_token_id": ids("<|vision_end|>"), "vision_start_token_id": ids("<|vision_start|>"),
    }  # fmt: skip
    preprocessor = {
        "size": {"longest_edge": [32, 40][variant] * factor * factor, "shortest_edge": 4 * factor * factor},
        "patch_size": vision["patch"], "temporal_patch_size": 2, "merge_size": 2, "image_mean": HALF, "image_std": HALF,
        "processor_class": "Qwen3VLProcessor", "image_processor_type": "Qwen2VLImageProcessorFast",
    }  # fmt: skip
    video = {**preprocessor, "video_processor_type": "Qwen3VLVideoProcessor"}
    video.pop("image_processor_type")
    return Checkpoint(
        config, tokenizer, qwen_tokenizer_config("Qwen3VLProcessor"), QWEN_MAP, QWEN3_VL_TEMPLATE,
        {"bos_token_id": ids("<|endoftext|>"), "pad_token_id": ids("<|endoftext|>"), "do_sample": True,
         "eos_token_id": [ids("<|im_end|>"), ids("<|endoftext|>")], "top_k": 20, "top_p": 0.8,
         "repetition_penalty": 1.0, "temperature": 0.7},
        {"preprocessor_config.json": preprocessor, "video_preprocessor_config.json": video},
        [ids("<|im_end|>"), ids("<|endoftext|>")], "<|image_pad|>",
    )  # fmt: skip


def qwen3_vl_yarn(variant: int) -> Checkpoint:
    """Qwen3-VL with YaRN beside interleaved M-RoPE, as Qwen's model cards tell users to write it."""
    checkpoint = qwen3_vl(variant)
    checkpoint.config["vision_config"]["hidden_size"] = 64
    text = checkpoint.config["text_config"]
    factor, original = [(5.0, 32), (7.0, 24)][variant]
    text["max_position_embeddings"] = int(factor * original)
    text["rope_scaling"] = {
        "rope_type": "yarn",
        "mrope_section": text["rope_scaling"]["mrope_section"],
        "mrope_interleaved": True,
        "factor": factor,
        "original_max_position_embeddings": original,
    }
    return brief(checkpoint, ["text", "image", "two_images", "two_turns"])
