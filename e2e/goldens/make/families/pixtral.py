"""LightOnOCR and Ministral 3: Pixtral towers."""

from checkpoint import CLIP_MEAN, CLIP_STD, RESCALE, Checkpoint, pad_to
from families.qwen_vl import QWEN_MAP, qwen_tokenizer, qwen_tokenizer_config
from tiny_tokenizers import TEKKEN_REGEX, byte_level

LIGHTON_OCR_TEMPLATE = """{% set pictures = namespace(count=0) %}
{% for message in messages %}
{% if loop.first and message['role'] != 'system' %}
<|im_start|>system<|im_end|>
{% endif %}
<|im_start|>{{ message['role'] }}
{% if message['content'] is string %}
{{ message['content'] }}<|im_end|>
{% else %}
{% for part in message['content'] %}
{% if part['type'] == 'image' or 'image' in part or 'image_url' in part %}
{% set pictures.count = pictures.count + 1 %}
{% if add_vision_id %}
Picture {{ pictures.count }}:
{% endif -%}
<|image_pad|>
{%- elif 'text' in part %}
{{ part['text'] }}
{% endif %}
{% endfor %}
<|im_end|>
{% endif %}
{% endfor %}
{% if add_generation_prompt %}
<|im_start|>assistant
{% endif %}"""


MISTRAL3_TEMPLATE = """{%- set default_system = 'You are a tiny model.\\nToday is Monday.' -%}
{{- bos_token -}}
{%- if messages[0]['role'] == 'system' -%}
    {%- if messages[0]['content'] is string -%}
        {{- '[SYSTEM_PROMPT]' + messages[0]['content'] + '[/SYSTEM_PROMPT]' -}}
    {%- else -%}
        {{- '[SYSTEM_PROMPT]' -}}
        {%- for block in messages[0]['content'] -%}
            {%- if block['type'] == 'text' -%}
                {{- block['text'] -}}
            {%- else -%}
                {{- raise_exception('A system message holds text only.') -}}
            {%- endif -%}
        {%- endfor -%}
        {{- '[/SYSTEM_PROMPT]' -}}
    {%- endif -%}
    {%- set turns = messages[1:] -%}
{%- else -%}
    {%- set turns = messages -%}
    {%- if default_system != '' -%}
        {{- '[SYSTEM_PROMPT]' + default_system + '[/SYSTEM_PROMPT]' -}}
    {%- endif -%}
{%- endif -%}
{%- for message in turns -%}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
        {{- raise_exception('After the system message, user and assistant turns must alternate.') -}}
    {%- endif -%}
    {%- if message['role'] == 'user' -%}
        {%- if message['content'] is string -%}
            {{- '[INST]' + message['content'] + '[/INST]' -}}
        {%- elif message['content'] | length > 0 -%}
            {{- '[INST]' -}}
            {%- if message['content'] | length == 2 -%}
                {%- set blocks = message['content'] | sort(attribute='type') -%}
            {%- else -%}
                {%- set blocks = message['content'] -%}
            {%- endif -%}
            {%- for block in blocks -%}
                {%- if block['type'] == 'text' -%}
                    {{- block['text'] -}}
                {%- elif block['type'] in ['image', 'image_url'] -%}
                    {{- '[IMG]' -}}
                {%- else -%}
                    {{- raise_exception('Only text and image blocks are known.') -}}
                {%- endif -%}
            {%- endfor -%}
            {{- '[/INST]' -}}
        {%- else -%}
            {{- raise_exception('A user message must not be empty.') -}}
        {%- endif -%}
    {%- elif message['role'] == 'assistant' -%}
        {%- if message['content'] is string -%}
            {{- message['content'] -}}
        {%- else -%}
            {%- for block in message['content'] -%}
                {%- if block['type'] == 'text' -%}
                    {{- block['text'] -}}
                {%- endif -%}
            {%- endfor -%}
        {%- endif -%}
        {{- eos_token -}}
    {%- else -%}
        {{- raise_exception('Unknown role ' + message['role']) -}}
    {%- endif -%}
{%- endfor -%}
"""


QWEN3_PLAIN = [
    "<|fim_prefix|>",
    "<|fim_middle|>",
    "<|fim_suffix|>",
    "<tool_response>",
    "</tool_response>",
    "<think>",
    "</think>",
]


def pixtral_processor(kind: str, patch, longest: int) -> dict:
    return {
        "crop_size": None, "data_format": "channels_first", "default_to_square": True, "device": None,
        "disable_grouping": None, "do_center_crop": None, "do_convert_rgb": True, "do_normalize": True, "do_pad": None,
        "do_rescale": True, "do_resize": True, "image_mean": CLIP_MEAN, "image_processor_type": kind,
        "image_std": CLIP_STD, "input_data_format": None, "pad_size": None, "patch_size": patch, "resample": 3,
        "rescale_factor": RESCALE, "return_tensors": None, "size": {"longest_edge": longest},
    }  # fmt: skip


def lighton_ocr(variant: int) -> Checkpoint:
    """LightOnOCR: Pixtral tower, 2x2 patch merger, Qwen3 text model. Published as model_type "mistral3"."""
    tokenizer = qwen_tokenizer([420, 440][variant], plain=QWEN3_PLAIN)
    ids = tokenizer.token_to_id
    text = [
        dict(h=96, heads=2, kv=1, hd=64, ff=200, layers=3, theta=1000000, eps=1e-6),
        dict(h=128, heads=4, kv=2, hd=48, ff=152, layers=2, theta=250000, eps=1e-5),
    ][variant]
    vision = [
        dict(h=128, heads=2, ff=168, layers=2, patch=14, merge=2, theta=10000, longest=168),
        dict(h=96, heads=3, ff=144, layers=3, patch=10, merge=3, theta=3000, longest=130),
    ][variant]
    text_config = {
        "architectures": ["Qwen3ForCausalLM"], "attention_bias": False, "attention_dropout": 0, "head_dim": text["hd"],
        "hidden_act": "silu", "hidden_size": text["h"], "initializer_range": 0.02, "intermediate_size": text["ff"],
        "layer_types": ["full_attention"] * text["layers"], "max_position_embeddings": 16384,
        "max_window_layers": text["layers"], "model_type": "qwen3", "num_attention_heads": text["heads"],
        "num_hidden_layers": text["layers"], "num_key_value_heads": text["kv"], "rms_norm_eps": text["eps"],
        "rope_scaling": None, "rope_theta": text["theta"], "sliding_window": None, "use_cache": True,
        "use_sliding_window": False, "tie_word_embeddings": not variant, "vocab_size": pad_to(tokenizer.get_vocab_size()),
    }  # fmt: skip
    vision_config = {
        "attention_dropout": 0, "head_dim": vision["h"] // vision["heads"], "hidden_act": "silu",
        "hidden_size": vision["h"], "image_size": vision["longest"], "initializer_range": 0.02,
        "intermediate_size": vision["ff"], "model_type": "pixtral", "num_attention_heads": vision["heads"],
        "num_channels": 3, "num_hidden_layers": vision["layers"], "patch_size": vision["patch"],
        "rope_theta": vision["theta"],
    }  # fmt: skip
    config = {
        "architectures": ["LightOnOCRForConditionalGeneration"], "dtype": "bfloat16",
        "image_token_id": ids("<|image_pad|>"), "model_type": "mistral3", "multimodal_projector_bias": False,
        "projector_hidden_act": "gelu", "spatial_merge_size": vision["merge"], "text_config": text_config,
        "transformers_version": "4.57.0.dev0", "vision_config": vision_config, "vision_feature_layer": -1,
    }  # fmt: skip
    tokens = {
        "image_break_token": "<|vision_pad|>",
        "image_end_token": "<|vision_end|>",
        "image_token": "<|image_pad|>",
    }
    if variant:
        # As transformers 5 saves it.
        config = {
            "architectures": ["LightOnOcrForConditionalGeneration"], "dtype": "bfloat16",
            "image_token_id": ids("<|image_pad|>"), "model_type": "lighton_ocr",
            "spatial_merge_size": vision["merge"], "text_config": text_config, "tie_word_embeddings": False,
            "transformers_version": "5.0.0", "vision_config": vision_config,
        }  # fmt: skip
        theta = vision_config.pop("rope_theta")
        vision_config["rope_parameters"] = {"rope_theta": theta, "rope_type": "default"}
        text_config.pop("rope_scaling")
        text_config["rope_parameters"] = {"rope_theta": text_config.pop("rope_theta"), "rope_type": "default"}
    name = ["LightOnOCRProcessor", "LightOnOcrProcessor"][variant]
    images = pixtral_processor("PixtralImageProcessorFast", vision["patch"], vision["longest"])
    settings = {**tokens, "patch_size": vision["patch"], "processor_class": name, "spatial_merge_size": vision["merge"]}
    files = {"preprocessor_config.json": {**images, "processor_class": name}, "processor_config.json": settings}
    if variant:
        files = {"processor_config.json": {"image_processor": images, **settings}}
    more = {"extra_special_tokens": tokens, **tokens}
    return Checkpoint(
        config, tokenizer, qwen_tokenizer_config(name, **more), {**QWEN_MAP, **tokens}, LIGHTON_OCR_TEMPLATE,
        {"bos_token_id": ids("<|endoftext|>"), "do_sample": True, "eos_token_id": [ids("<|im_end|>"), ids("<|endoftext|>")],
         "pad_token_id": ids("<|endoftext|>"), "temperature": 0.2, "top_k": 0, "top_p": 0.9},
        files, [ids("<|im_end|>"), ids("<|endoftext|>")], "<|image_pad|>",
    )  # fmt: skip


def mistral3(variant: int) -> Checkpoint:
    """Ministral 3: Pixtral tower with row breaks, YaRN and position-dependent query scaling."""
    first = ["<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]",
             "[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]", "<pad>", "[IMG_BREAK]", "[IMG_END]", "[PREFIX]", "[MIDDLE]",
             "[SUFFIX]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[TOOL_CONTENT]"]  # fmt: skip
    tokenizer = byte_level([410, 440][variant], TEKKEN_REGEX, first, [], bos="<s>", ignore_merges=True)
    text = [
        dict(
            h=96, heads=3, kv=1, hd=64, ff=208, layers=3, theta=1000000.0, factor=16.0, original=32, beta=0.1, eps=1e-5
        ),
        dict(
            h=128, heads=4, kv=2, hd=48, ff=176, layers=2, theta=200000.0, factor=12.0, original=24, beta=0.2, eps=1e-6
        ),
    ][variant]
    vision = [
        dict(h=128, heads=2, ff=168, layers=2, patch=14, longest=140, theta=10000.0),
        dict(h=96, heads=3, ff=144, layers=3, patch=12, longest=120, theta=5000.0),
    ][variant]
    config = {
        "architectures": ["Mistral3ForConditionalGeneration"], "dtype": "bfloat16", "image_token_index": 10,
        "model_type": "mistral3", "multimodal_projector_bias": bool(variant), "projector_hidden_act": "gelu",
        "spatial_merge_size": 2,
        "text_config": {
            "attention_dropout": 0.0, "head_dim": text["hd"], "hidden_act": "silu", "hidden_size": text["h"],
            "initializer_range": 0.02, "intermediate_size": text["ff"],
            "max_position_embeddings": int(text["original"] * text["factor"]), "model_type": "ministral3",
            "num_attention_heads": text["heads"], "num_hidden_layers": text["layers"],
            "num_key_value_heads": text["kv"], "rms_norm_eps": text["eps"],
            "rope_parameters": {
                "beta_fast": 32.0, "beta_slow": 1.0, "factor": text["factor"], "llama_4_scaling_beta": text["beta"],
                "mscale": 1.0, "mscale_all_dim": 1.0, "original_max_position_embeddings": text["original"],
                "rope_theta": text["theta"], "rope_type": "yarn", "type": "yarn",
            },
            "sliding_window": None, "tie_word_embeddings": not variant, "use_cache": True,
            "vocab_size": pad_to(tokenizer.get_vocab_size()),
        },
        "tie_word_embeddings": not variant, "transformers_version": "5.0.0.dev0",
        "vision_config": {
            "attention_dropout": 0.0, "head_dim": vision["h"] // vision["heads"], "hidden_act": "silu",
            "hidden_size": vision["h"], "image_size": vision["longest"], "initializer_range": 0.02,
            "intermediate_size": vision["ff"], "model_type": "pixtral", "num_attention_heads": vision["heads"],
            "num_channels": 3, "num_hidden_layers": vision["layers"], "patch_size": vision["patch"],
            "rope_parameters": {"rope_theta": vision["theta"], "rope_type": "default"},
        },
        "vision_feature_layer": -1,
    }  # fmt: skip
    tokens = {"image_break_token": "[IMG_BREAK]", "image_end_token": "[IMG_END]", "image_token": "[IMG]"}
    images = {**pixtral_processor("PixtralImageProcessorFast", vision["patch"], vision["longest"]), "do_pad": True}
    tokenizer_config = {
        "additional_special_tokens": first, "bos_token": "<s>", "clean_up_tokenization_spaces": False,
        "eos_token": "</s>", "extra_special_tokens": {}, "legacy": True,
        "model_max_length": 1000000000000000019884624838656, "pad_token": "<pad>", "processor_class": "PixtralProcessor",
        "tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "<unk>", "use_default_system_prompt": False,
    }  # fmt: skip
    return Checkpoint(
        config, tokenizer, tokenizer_config,
        {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}, MISTRAL3_TEMPLATE,
        {"bos_token_id": 1, "eos_token_id": 2, "max_length": 262144, "pad_token_id": 11},
        {"processor_config.json": {"image_processor": images, **tokens, "patch_size": vision["patch"],
                                   "processor_class": "PixtralProcessor", "spatial_merge_size": 2}},
        [2], "[IMG]", head_gain=0.8,
        rename=[(r"^lm_head\.", "language_model.lm_head."), (r"^model\.language_model\.", "language_model.model."),
                (r"^model\.", "")],
    )  # fmt: skip
