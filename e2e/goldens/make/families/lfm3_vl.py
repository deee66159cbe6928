"""LFM3-VL."""

import re

from checkpoint import HALF, RESCALE, Checkpoint, DeltaRuleCheckpoint, pad_to
from conversations import LONG_CASES
from states import record_states
from template_cases import render_templates
from tiny_tokenizers import LLAMA3_REGEX, byte_level

# LFM3-VL: the published template could not be read; ChatML as LFM2-VL writes it, with LFM3-VL's vision tokens.
LFM3_VL_TEMPLATE = """{{- bos_token -}}
{%- set system = '' -%}
{%- set turns = messages -%}
{%- if messages[0]['role'] == 'system' -%}
    {%- if messages[0]['content'] is string -%}
        {%- set system = messages[0]['content'] -%}
    {%- else -%}
        {%- set system = messages[0]['content'] | map(attribute='text') | join('') -%}
    {%- endif -%}
    {%- set turns = messages[1:] -%}
{%- endif -%}
{%- if tools -%}
    {%- set system = system + ('\\n' if system else '') + 'List of tools: [' -%}
    {%- for tool in tools -%}
        {%- set system = system + (tool if tool is string else tool | tojson) + (', ' if not loop.last else '') -%}
    {%- endfor -%}
    {%- set system = system + ']' -%}
{%- endif -%}
{%- if system -%}
    {{- '<|im_start|>system\\n' + system + '<|im_end|>\\n' -}}
{%- endif -%}
{%- for message in turns -%}
    {{- '<|im_start|>' + message['role'] + '\\n' -}}
    {%- if message['content'] is string -%}
        {{- message['content'] -}}
    {%- else -%}
        {%- for part in message['content'] -%}
            {%- if part['type'] == 'image' -%}
                {{- '<|vision_start|><|image_pad|><|vision_end|>' -}}
            {%- elif part['type'] == 'video' -%}
                {{- '<|vision_start|><|video_pad|><|vision_end|>' -}}
            {%- elif part['type'] == 'text' -%}
                {{- part['text'] -}}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {{- '<|im_end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{- '<|im_start|>assistant\\n' -}}
{%- endif -%}
"""


def adjust_lfm3_vl(model, draw) -> None:
    """Peaky attention after the query and key norms; sandwich norms that keep rounding errors small."""
    for name, parameter in model.named_parameters():
        if name.endswith("k_norm.weight"):
            parameter.copy_(draw(name, parameter.shape, 0.3, 1.5))
        elif re.search(r"post_(operator|ffn)_norm\.weight$", name):
            parameter.copy_(draw(name, parameter.shape, 0.12, 0.55))


def lfm3_vl(variant: int) -> Checkpoint:
    """LFM3-VL: convolutions and grouped attention in both towers, sandwich norms, a sigmoid gate for each head."""
    last = ["<|pad|>", "<|startoftext|>", "<|endoftext|>", "<|fim_pre|>", "<|fim_mid|>", "<|fim_suf|>", "<|im_start|>",
            "<|im_end|>", "<|tool_call_start|>", "<|tool_call_end|>", "<|vision_start|>", "<|vision_end|>",
            "<|video_pad|>", "<|image_pad|>"]  # fmt: skip
    tokenizer = byte_level([430, 410][variant], LLAMA3_REGEX, [], last, bos="<|startoftext|>")
    ids = tokenizer.token_to_id
    words = [dict(h=64, heads=4, kv=2, hd=32, ff=160, layers=7, kernel=7, window=16, theta=1000000.0, local=10000.0,
                  partial=0.5, eps=1e-5),
             dict(h=96, heads=6, kv=2, hd=16, ff=200, layers=6, kernel=5, window=24, theta=400000.0, local=20000.0,
                  partial=0.25, eps=1e-6)][variant]  # fmt: skip
    kinds = [["conv", "conv", "full_attention", "conv", "sliding_attention", "conv", "full_attention"],
             ["sliding_attention", "conv", "conv", "full_attention", "sliding_attention", "conv"]][variant]  # fmt: skip
    vision = [
        dict(h=64, heads=4, kv=2, ff=144, layers=4, patch=16, merge=2, kernel=3, theta=1000000.0, projector=112),
        dict(h=96, heads=6, kv=3, ff=136, layers=3, patch=8, merge=2, kernel=5, theta=50000.0, projector=144),
    ][variant]
    seen = [["conv", "conv", "full_attention", "conv"], ["conv", "full_attention", "conv"]][variant]
    factor = vision["patch"] * vision["merge"]
    config = {
        "architectures": ["Lfm3VlForConditionalGeneration"], "dtype": "bfloat16", "image_token_id": ids("<|image_pad|>"),
        "model_type": "lfm3_vl", "projector_bias": True, "projector_hidden_act": "gelu",
        "projector_hidden_size": vision["projector"],
        "text_config": {
            "architectures": ["Lfm3ForCausalLM"], "attention_bias": False, "attention_dropout": 0.0,
            "bos_token_id": ids("<|startoftext|>"), "conv_L_cache": words["kernel"], "conv_bias": False,
            "dtype": "bfloat16", "eos_token_id": ids("<|im_end|>"), "head_dim": words["hd"], "hidden_size": words["h"],
            "initializer_range": 0.02, "intermediate_size": words["ff"], "layer_types": kinds,
            "max_position_embeddings": 128000, "model_type": "lfm3", "norm_eps": words["eps"],
            "num_attention_heads": words["heads"], "num_hidden_layers": words["layers"],
            "num_key_value_heads": words["kv"], "pad_token_id": ids("<|pad|>"),
            "rope_parameters": {
                "full_attention": {"partial_rotary_factor": words["partial"], "rope_theta": words["theta"],
                                   "rope_type": "proportional"},
                "sliding_attention": {"rope_theta": words["local"], "rope_type": "default"},
            },
            "sliding_window": words["window"], "tie_word_embeddings": not variant, "use_attention_gate": True,
            "use_cache": True, "use_sandwich_norm": True, "vocab_size": pad_to(tokenizer.get_vocab_size()),
        },
        "tie_word_embeddings": not variant, "transformers_version": "5.23.0", "video_token_id": ids("<|video_pad|>"),
        "vision_config": {
            "conv_kernel_size": vision["kernel"], "dtype": "bfloat16", "hidden_size": vision["h"], "in_channels": 3,
            "initializer_range": 0.02, "intermediate_size": vision["ff"], "layer_types": seen,
            "model_type": "lfm3_vl_vision", "norm_eps": words["eps"], "num_attention_heads": vision["heads"],
            "num_hidden_layers": vision["layers"], "num_key_value_heads": vision["kv"], "patch_size": vision["patch"],
            "rope_parameters": {"rope_theta": vision["theta"], "rope_type": "axial"},
            "spatial_merge_size": vision["merge"], "temporal_patch_size": 2,
        },
        "vision_end_token_id": ids("<|vision_end|>"), "vision_start_token_id": ids("<|vision_start|>"),
    }  # fmt: skip
    preprocessor = {
        "do_convert_rgb": True, "do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": HALF,
        "image_processor_type": "Qwen2VLImageProcessor", "image_std": HALF, "merge_size": vision["merge"],
        "patch_size": vision["patch"], "resample": 3, "rescale_factor": RESCALE,
        "size": {"longest_edge": [32, 44][variant] * factor * factor, "shortest_edge": 4 * factor * factor},
        "temporal_patch_size": 2,
    }  # fmt: skip
    video = {k: v for k, v in preprocessor.items() if k != "image_processor_type"}
    video["video_processor_type"] = "Qwen3VLVideoProcessor"
    nested = {"image_processor": preprocessor, "processor_class": "Lfm3VlProcessor", "video_processor": video}
    # How the processor files are published is not known: transformers 5 writes the nested form.
    files = (
        {"processor_config.json": nested}
        if not variant
        else {
            "preprocessor_config.json": {**preprocessor, "processor_class": "Lfm3VlProcessor"},
            "video_preprocessor_config.json": {**video, "processor_class": "Lfm3VlProcessor"},
            "processor_config.json": {"processor_class": "Lfm3VlProcessor"},
        }
    )
    names = {"image_token": "<|image_pad|>", "video_token": "<|video_pad|>", "vision_end_token": "<|vision_end|>",
             "vision_start_token": "<|vision_start|>"}  # fmt: skip
    tokenizer_config = {
        **names, "add_bos_token": True, "bos_token": "<|startoftext|>", "clean_up_tokenization_spaces": False,
        "eos_token": "<|im_end|>", "extra_special_tokens": names, "model_max_length": 128000, "pad_token": "<|pad|>",
        "processor_class": "Lfm3VlProcessor", "tokenizer_class": "PreTrainedTokenizerFast",
    }  # fmt: skip
    return DeltaRuleCheckpoint(
        config, tokenizer, tokenizer_config, {}, LFM3_VL_TEMPLATE,
        {"transformers_version": "5.23.0", "bos_token_id": ids("<|startoftext|>"), "eos_token_id": ids("<|im_end|>"),
         "pad_token_id": ids("<|pad|>")},
        files, [ids("<|im_end|>")], "<|image_pad|>",
        rename=[(r"^(model\.vision_tower\.)patch_embed\.", r"\1patchifier."),
                (r"^(model\.vision_tower\..*\.)([qk])_norm\.", r"\1\2_layernorm."),
                (r"^(model\.language_model\..*\.self_attn\.)g_proj\.", r"\1gate_proj.")],
        more_cases=LONG_CASES, more_picked=["long"], adjust=adjust_lfm3_vl, record=record_states,
        template_cases=render_templates,
    )  # fmt: skip
