"""LLaVA-NeXT; Granite Vision as its other variant."""

from checkpoint import CLIP_MEAN, CLIP_STD, HALF, RESCALE, Checkpoint, pad_to
from families.llava import LLAVA_RENAME
from tiny_tokenizers import byte_fallback, byte_level

# The published template of llava-v1.6-mistral-7b-hf indexes message['content'][0]['text'] for system and assistant
# turns and closes an assistant's turn with a literal "<\s> ", not with </s>.
LLAVA_NEXT_MISTRAL_TEMPLATE = """{% for message in messages %}{% if message['role'] == 'system' %}\
{{ '<<SYS>>\\n' + message['content'][0]['text'] + '\\n<</SYS>>\\n\\n' }}\
{% elif message['role'] == 'user' %}{{ '[INST] ' }}\
{% for part in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\\n' }}{% endfor %}\
{% for part in message['content'] | selectattr('type', 'equalto', 'text') %}{{ part['text'] }}{% endfor %}{{ ' [/INST]' }}\
{% elif message['role'] == 'assistant' %}{{ ' ' + message['content'][0]['text'] + '<\\\\s> ' }}\
{% else %}{{ raise_exception('Unknown role') }}{% endif %}{% endfor %}"""


GRANITE_VISION_TEMPLATE = """{%- if messages[0]['role'] == 'system' -%}
    {%- set system = messages[0]['content'] if messages[0]['content'] is string else messages[0]['content'][0]['text'] -%}
    {%- set turns = messages[1:] -%}
{%- else -%}
    {%- set system = "A chat between a curious user and an assistant. The assistant gives helpful answers." -%}
    {%- set turns = messages -%}
{%- endif -%}
{{- '<|system|>\\n' + system + '\\n' -}}
{%- for message in turns -%}
    {%- if message['role'] == 'user' -%}
        {{- '<|user|>\\n' -}}
        {%- if message['content'] is string -%}
            {{- message['content'] + '\\n' -}}
        {%- else -%}
            {%- for part in message['content'] | selectattr('type', 'equalto', 'image') -%}
                {{- '<image>\\n' -}}
            {%- endfor -%}
            {%- for part in message['content'] | selectattr('type', 'equalto', 'text') -%}
                {{- part['text'] + '\\n' -}}
            {%- endfor -%}
        {%- endif -%}
    {%- elif message['role'] == 'assistant' -%}
        {{- '<|assistant|>\\n' -}}
        {%- if message['content'] is string -%}
            {{- message['content'] + eos_token -}}
        {%- else -%}
            {{- message['content'][0]['text'] + eos_token -}}
        {%- endif -%}
    {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{- '<|assistant|>\\n' -}}
{%- endif -%}
"""


def llava_next(variant: int) -> Checkpoint:
    """LLaVA-NeXT: any-resolution tiles; CLIP and Mistral (v1.6), or SigLIP with several taps and Granite."""
    return granite_vision() if variant else llava_next_mistral()


def llava_next_mistral() -> Checkpoint:
    tokenizer = byte_fallback(270, ["<unk>", "<s>", "</s>"], ["<image>", "<pad>"], "<s>", "<unk>", True)
    ids = tokenizer.token_to_id
    image = 56
    pinpoints = [[image, 2 * image], [2 * image, image], [2 * image, 2 * image], [3 * image, image], [image, 3 * image]]
    config = {
        "architectures": ["LlavaNextForConditionalGeneration"], "ignore_index": -100, "image_grid_pinpoints": pinpoints,
        "image_token_index": ids("<image>"), "model_type": "llava_next", "projector_hidden_act": "gelu",
        "text_config": {
            "architectures": ["MistralForCausalLM"], "hidden_size": 128, "intermediate_size": 200,
            "max_position_embeddings": 32768, "model_type": "mistral", "num_attention_heads": 2,
            "num_hidden_layers": 3, "num_key_value_heads": 1, "rms_norm_eps": 1e-05, "rope_theta": 1000000.0,
            "sliding_window": None, "torch_dtype": "bfloat16", "vocab_size": pad_to(tokenizer.get_vocab_size()),
        },
        "torch_dtype": "float16", "transformers_version": "4.39.0.dev0", "use_image_newline_parameter": True,
        "vision_config": {
            "hidden_size": 128, "image_size": image, "intermediate_size": 208, "model_type": "clip_vision_model",
            "num_attention_heads": 2, "num_hidden_layers": 3, "patch_size": 14, "projection_dim": 64,
            "vocab_size": 32000,
        },
        "vision_feature_layer": -2, "vision_feature_select_strategy": "default",
    }  # fmt: skip
    preprocessor = {
        "aspect_ratio_setting": "anyres", "crop_size": {"height": image, "width": image}, "do_center_crop": True,
        "do_convert_rgb": True, "do_normalize": True, "do_pad": True, "do_rescale": True, "do_resize": True,
        "image_grid_pinpoints": pinpoints, "image_mean": CLIP_MEAN, "image_processor_type": "LlavaNextImageProcessor",
        "image_std": CLIP_STD, "processor_class": "LlavaNextProcessor", "resample": 3, "rescale_factor": RESCALE,
        "size": {"shortest_edge": image},
    }  # fmt: skip
    tokenizer_config = {
        "add_bos_token": True, "add_eos_token": False, "add_prefix_space": True, "additional_special_tokens": [],
        "bos_token": "<s>", "clean_up_tokenization_spaces": False, "eos_token": "</s>",
        "extra_special_tokens": {"image_token": "<image>"}, "image_token": "<image>", "legacy": True,
        "model_max_length": 1000000000000000019884624838656, "pad_token": "<pad>", "padding_side": "left",
        "processor_class": "LlavaNextProcessor", "sp_model_kwargs": {}, "spaces_between_special_tokens": False,
        "tokenizer_class": "LlamaTokenizer", "unk_token": "<unk>", "use_default_system_prompt": False,
    }  # fmt: skip
    return Checkpoint(
        config, tokenizer, tokenizer_config,
        {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>", "image_token": "<image>"},
        LLAVA_NEXT_MISTRAL_TEMPLATE, {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": ids("<pad>")},
        {"preprocessor_config.json": preprocessor,
         "processor_config.json": {"image_token": "<image>", "num_additional_image_tokens": 1, "patch_size": 14,
                                   "processor_class": "LlavaNextProcessor", "vision_feature_select_strategy": "default"}},
        [2], "<image>", rename=LLAVA_RENAME, tiled=True, parts_only=True, seed=2, template_file="chat_template.json",
    )  # fmt: skip


GRANITE_SPECIALS = ["<|end_of_text|>", "<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<fim_pad>", "<filename>"]


def granite_vision() -> Checkpoint:
    last = ["<|start_of_role|>", "<|end_of_role|>", "<|tool_call|>", "<image>"]
    tokenizer = byte_level(430, None, GRANITE_SPECIALS, last, digits=True)
    ids = tokenizer.token_to_id
    image = 48
    pinpoints = [[image * a, image * b] for a in range(1, 5) for b in range(1, 7) if a * b <= 6]
    config = {
        "architectures": ["LlavaNextForConditionalGeneration"], "image_grid_pinpoints": pinpoints,
        "image_seq_length": 576, "image_token_index": ids("<image>"), "model_type": "llava_next",
        "multimodal_projector_bias": True, "projector_hidden_act": "gelu",
        "text_config": {
            "architectures": ["GraniteForCausalLM"], "attention_bias": False, "attention_dropout": 0.0,
            "attention_multiplier": 0.25, "bos_token_id": 0, "embedding_multiplier": 3.0, "eos_token_id": 0,
            "hidden_act": "silu", "hidden_size": 144, "initializer_range": 0.02, "intermediate_size": 184,
            "logits_scaling": 2.0, "max_position_embeddings": 131072, "mlp_bias": False, "model_type": "granite",
            "num_attention_heads": 4, "num_hidden_layers": 3, "num_key_value_heads": 2, "pad_token_id": 0,
            "residual_multiplier": 0.6, "rms_norm_eps": 1e-05, "rope_scaling": None, "rope_theta": 300000,
            "tie_word_embeddings": True, "torch_dtype": "bfloat16", "use_cache": True,
            "vocab_size": pad_to(tokenizer.get_vocab_size()),
        },
        "tie_word_embeddings": True, "torch_dtype": "bfloat16", "transformers_version": "4.49.0",
        "use_image_newline_parameter": True,
        "vision_config": {
            "hidden_act": "gelu_pytorch_tanh", "hidden_size": 96, "image_size": image, "intermediate_size": 152,
            "layer_norm_eps": 1e-06, "model_type": "siglip_vision_model", "num_attention_heads": 2,
            "num_hidden_layers": 5, "patch_size": 14, "vision_use_head": False,
        },
        "vision_feature_layer": [-5, -3, -2, -1], "vision_feature_select_strategy": "full",
    }  # fmt: skip
    preprocessor = {
        "crop_size": {"height": image, "width": image}, "do_center_crop": True, "do_convert_rgb": True,
        "do_normalize": True, "do_pad": True, "do_rescale": True, "do_resize": True,
        "image_grid_pinpoints": pinpoints, "image_mean": HALF, "image_processor_type": "LlavaNextImageProcessor",
        "image_std": HALF, "processor_class": "LlavaNextProcessor", "resample": 3, "rescale_factor": RESCALE,
        "size": {"height": image, "width": image},
    }  # fmt: skip
    tokenizer_config = {
        "add_bos_token": False, "add_prefix_space": False, "additional_special_tokens": last[:-1],
        "bos_token": "<|end_of_text|>", "clean_up_tokenization_spaces": True, "eos_token": "<|end_of_text|>",
        "errors": "replace", "extra_special_tokens": {"image_token": "<image>"}, "image_token": "<image>",
        "model_max_length": 131072, "pad_token": "<|end_of_text|>", "padding_side": "right",
        "processor_class": "LlavaNextProcessor", "tokenizer_class": "GPT2Tokenizer", "unk_token": "<|end_of_text|>",
        "vocab_size": 49152,
    }  # fmt: skip
    return Checkpoint(
        config, tokenizer, tokenizer_config,
        {"additional_special_tokens": last[:-1], "bos_token": "<|end_of_text|>", "eos_token": "<|end_of_text|>",
         "image_token": "<image>", "pad_token": "<|end_of_text|>", "unk_token": "<|end_of_text|>"},
        GRANITE_VISION_TEMPLATE, {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0},
        {"preprocessor_config.json": preprocessor,
         "processor_config.json": {"image_token": "<image>", "num_additional_image_tokens": 0, "patch_size": 14,
                                   "processor_class": "LlavaNextProcessor", "vision_feature_select_strategy": "full"}},
        [0], "<image>", rename=LLAVA_RENAME, tiled=True,
    )  # fmt: skip
