"""Llama 3.2 Vision."""

from checkpoint import CLIP_MEAN, CLIP_STD, RESCALE, Checkpoint
from tiny_tokenizers import LLAMA3_REGEX, byte_level

MLLAMA_TEMPLATE = """{{- bos_token }}
{%- set date_string = date_string if date_string is defined else '26 Jul 2024' %}
{%- if messages[0]['role'] == 'system' %}
    {%- if messages[0]['content'] is string %}
        {%- set system_message = messages[0]['content'] | trim %}
    {%- else %}
        {%- set system_message = messages[0]['content'][0]['text'] | trim %}
    {%- endif %}
    {%- set turns = messages[1:] %}
{%- else %}
    {%- set system_message = '' %}
    {%- set turns = messages %}
{%- endif %}
{%- set images = namespace(found=false) %}
{%- for message in turns %}
    {%- if message['content'] is not string %}
        {%- for content in message['content'] %}
            {%- if content['type'] == 'image' %}
                {%- set images.found = true %}
            {%- endif %}
        {%- endfor %}
    {%- endif %}
{%- endfor %}
{%- if images.found and system_message != '' %}
    {{- raise_exception('Prompting with images is incompatible with system messages.') }}
{%- endif %}
{%- if not images.found %}
    {{- '<|start_header_id|>system<|end_header_id|>\\n\\n' }}
    {{- 'Cutting Knowledge Date: December 2023\\n' }}
    {{- 'Today Date: ' + date_string + '\\n\\n' }}
    {{- system_message }}
    {{- '<|eot_id|>' }}
{%- endif %}
{%- for message in turns %}
    {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}
    {%- if message['content'] is string %}
        {{- message['content'] }}
    {%- else %}
        {%- for content in message['content'] %}
            {%- if content['type'] == 'image' %}
                {{- '<|image|>' }}
            {%- elif content['type'] == 'text' %}
                {{- content['text'] }}
            {%- endif %}
        {%- endfor %}
    {%- endif %}
    {{- '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""


def mllama(variant: int) -> Checkpoint:
    """Llama 3.2 Vision: tiled ViT with gated global layers, gated cross-attention, llama3 rotary scaling."""
    specials = ["<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>", "<|finetune_right_pad_id|>",
                "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>", "<|eot_id|>", "<|python_tag|>", "<|image|>"]  # fmt: skip
    tokenizer = byte_level([430, 410][variant], LLAMA3_REGEX, [], specials, bos="<|begin_of_text|>", ignore_merges=True)
    ids = tokenizer.token_to_id
    text = [
        dict(h=128, heads=2, kv=1, ff=136, layers=4, cross=[1, 3], factor=8.0, original=64, theta=500000.0),
        dict(h=192, heads=3, kv=1, ff=216, layers=4, cross=[2], factor=4.0, original=96, theta=300000.0),
    ][variant]
    vision = [
        dict(h=160, heads=2, ff=152, layers=3, globals=1, patch=14, image=56, taps=[1, 2]),
        dict(h=128, heads=2, ff=168, layers=4, globals=2, patch=16, image=48, taps=[1, 2, 3]),
    ][variant]
    ratios = [[1, 1], [1, 2], [1, 3], [1, 4], [2, 1], [2, 2], [3, 1], [4, 1]]
    eos = [ids("<|end_of_text|>"), ids("<|eom_id|>"), ids("<|eot_id|>")]
    config = {
        "architectures": ["MllamaForConditionalGeneration"], "image_token_index": ids("<|image|>"),
        "model_type": "mllama",
        "text_config": {
            "bos_token_id": ids("<|begin_of_text|>"), "cross_attention_layers": text["cross"], "dropout": 0,
            "eos_token_id": eos, "hidden_act": "silu", "hidden_size": text["h"], "initializer_range": 0.02,
            "intermediate_size": text["ff"], "max_position_embeddings": 131072, "model_type": "mllama_text_model",
            "num_attention_heads": text["heads"], "num_hidden_layers": text["layers"],
            "num_key_value_heads": text["kv"], "pad_token_id": ids("<|finetune_right_pad_id|>"),
            "rms_norm_eps": [1e-5, 1e-6][variant],
            "rope_scaling": {"factor": text["factor"], "high_freq_factor": 4.0, "low_freq_factor": 1.0,
                             "original_max_position_embeddings": text["original"], "rope_type": "llama3"},
            "rope_theta": text["theta"], "tie_word_embeddings": False, "torch_dtype": "bfloat16", "use_cache": True,
            "vocab_size": ids("<|image|>"),
        },
        "torch_dtype": "bfloat16", "transformers_version": "4.45.0.dev0",
        "vision_config": {
            "attention_heads": vision["heads"], "hidden_act": "gelu", "hidden_size": vision["h"],
            "image_size": vision["image"], "initializer_range": 0.02, "intermediate_layers_indices": vision["taps"],
            "intermediate_size": vision["ff"], "max_num_tiles": 4, "model_type": "mllama_vision_model",
            "norm_eps": 1e-5, "num_channels": 3, "num_global_layers": vision["globals"],
            "num_hidden_layers": vision["layers"], "patch_size": vision["patch"], "supported_aspect_ratios": ratios,
            "vision_output_dim": vision["h"] * (1 + len(vision["taps"])),
        },
    }  # fmt: skip
    preprocessor = {
        "do_convert_rgb": True, "do_normalize": True, "do_pad": True, "do_rescale": True, "do_resize": True,
        "image_mean": CLIP_MEAN, "image_processor_type": "MllamaImageProcessor", "image_std": CLIP_STD,
        "max_image_tiles": 4, "resample": 2, "rescale_factor": RESCALE,
        "size": {"height": vision["image"], "width": vision["image"]},
    }  # fmt: skip
    tokenizer_config = {
        "bos_token": "<|begin_of_text|>", "clean_up_tokenization_spaces": False, "eos_token": "<|eot_id|>",
        "model_input_names": ["input_ids", "attention_mask"], "model_max_length": 131072,
        "pad_token": "<|finetune_right_pad_id|>", "processor_class": "MllamaProcessor",
        "tokenizer_class": "PreTrainedTokenizerFast",
    }  # fmt: skip
    return Checkpoint(
        config, tokenizer, tokenizer_config,
        {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>", "pad_token": "<|finetune_right_pad_id|>"},
        MLLAMA_TEMPLATE,
        {"bos_token_id": ids("<|begin_of_text|>"), "do_sample": True, "eos_token_id": eos,
         "pad_token_id": ids("<|finetune_right_pad_id|>"), "temperature": 0.6, "top_p": 0.9},
        {"preprocessor_config.json": preprocessor}, eos[::-1], "<|image|>",
        rename=[(r"^lm_head\.", "language_model.lm_head."), (r"^model\.language_model\.", "language_model.model."),
                (r"^model\.", "")],
        system=False, tiled=True,
    )  # fmt: skip
