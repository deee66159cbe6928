"""GLM-OCR."""

from checkpoint import CLIP_MEAN, CLIP_STD, Checkpoint, pad_to, unread
from tiny_tokenizers import LLAMA3_REGEX, byte_level

GLM_OCR_TEMPLATE = """[gMASK]<sop>
{%- macro plain(content) -%}
    {%- if content is string -%}
        {{- content -}}
    {%- else -%}
        {%- for item in content -%}
            {%- if item is string -%}
                {{- item -}}
            {%- elif item.type == 'text' -%}
                {{- item.text -}}
            {%- elif item.type == 'image' or 'image' in item -%}
                <|begin_of_image|><|image|><|end_of_image|>
            {%- elif item.type == 'video' or 'video' in item -%}
                <|begin_of_video|><|video|><|end_of_video|>
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro -%}
{%- set last = namespace(user=-1) -%}
{%- for message in messages -%}
    {%- if message.role == 'user' -%}
        {%- set last.user = loop.index0 -%}
    {%- endif -%}
{%- endfor -%}
{%- for message in messages -%}
    {%- if message.role == 'user' -%}
        {{- '<|user|>\\n' + plain(message.content) -}}
        {%- if enable_thinking is defined and not enable_thinking and not plain(message.content).endswith('/nothink') -%}
            {{- '/nothink' -}}
        {%- endif -%}
    {%- elif message.role == 'assistant' -%}
        {%- set answer = plain(message.content) -%}
        {%- set thought = '' -%}
        {%- if message.reasoning_content is string -%}
            {%- set thought = message.reasoning_content -%}
        {%- elif '</think>' in answer -%}
            {%- set thought = answer.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') -%}
            {%- set answer = answer.split('</think>')[-1].lstrip('\\n') -%}
        {%- endif -%}
        {{- '<|assistant|>\\n' -}}
        {%- if loop.index0 > last.user and thought -%}
            {{- '<think>' + thought.strip() + '</think>' -}}
        {%- else -%}
            {{- '<think></think>' -}}
        {%- endif -%}
        {%- if answer.strip() -%}
            {{- '\\n' + answer.strip() -}}
        {%- endif -%}
        {{- '\\n' -}}
    {%- elif message.role == 'system' -%}
        {{- '<|system|>\\n' + plain(message.content) + '\\n' -}}
    {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{- '<|assistant|>\\n' -}}
    {%- if enable_thinking is defined and not enable_thinking -%}
        {{- '<think></think>\\n' -}}
    {%- endif -%}
{%- endif -%}
"""


def glm_ocr(variant: int) -> Checkpoint:
    """GLM-OCR: CogViT with head norms and 2-D RoPE, strided-convolution merger, GLM-4 text with interleaved M-RoPE."""
    specials = [
        "<|endoftext|>", "[MASK]", "[gMASK]", "[sMASK]", "<sop>", "<eop>", "<|system|>", "<|user|>", "<|assistant|>",
        "<|observation|>", "<|begin_of_image|>", "<|end_of_image|>", "<|begin_of_video|>", "<|end_of_video|>",
        "<|code_prefix|>", "<|code_middle|>", "<|code_suffix|>", "<think>", "</think>", "<tool_call>", "</tool_call>",
        "/nothink", "<|begin_of_box|>", "<|end_of_box|>", "<|image|>", "<|video|>",
    ]  # fmt: skip
    plain = ("<think>", "</think>", "<tool_call>", "</tool_call>", "/nothink", "<|begin_of_box|>", "<|end_of_box|>")
    tokenizer = byte_level([420, 450][variant], LLAMA3_REGEX, [], specials, plain=plain)
    ids = tokenizer.token_to_id
    text = [
        dict(h=96, heads=2, kv=1, hd=64, ff=144, layers=3, section=[8, 12, 12], part=1.0, theta=10000, eps=1e-5),
        dict(h=128, heads=6, kv=2, hd=32, ff=168, layers=2, section=[2, 3, 3], part=0.5, theta=40000, eps=1e-6),
    ][variant]
    vision = [
        dict(h=128, heads=2, ff=176, depth=2, patch=14, merge=2, eps=1e-5),
        dict(h=96, heads=3, ff=152, depth=3, patch=8, merge=3, eps=1e-6),
    ][variant]
    eos = [ids("<|endoftext|>"), ids("<|user|>")]
    vocab = pad_to(tokenizer.get_vocab_size())
    config = {
        "architectures": ["GlmOcrForConditionalGeneration"], "model_type": "glm_ocr",
        "text_config": {
            "attention_bias": False, "attention_dropout": 0.0, "dtype": "bfloat16", "eos_token_id": eos,
            "head_dim": text["hd"], "hidden_act": "silu", "hidden_size": text["h"], "initializer_range": 0.02,
            "intermediate_size": text["ff"], "max_position_embeddings": 131072, "model_type": "glm_ocr_text",
            "num_attention_heads": text["heads"], "num_hidden_layers": text["layers"],
            "num_key_value_heads": text["kv"], "num_nextn_predict_layers": 1, "pad_token_id": eos[0],
            "rms_norm_eps": text["eps"],
            "rope_parameters": {"mrope_section": text["section"], "partial_rotary_factor": text["part"],
                                "rope_theta": text["theta"], "rope_type": "default"},
            "tie_word_embeddings": bool(variant), "use_cache": True, "vocab_size": vocab,
        },
        "vision_config": {
            "attention_bias": True, "attention_dropout": 0.0, "depth": vision["depth"], "hidden_act": "silu",
            "hidden_dropout_prob": 0.0, "hidden_size": vision["h"], "image_size": 24 * vision["patch"],
            "in_channels": 3, "initializer_range": 0.02, "intermediate_size": vision["ff"],
            "model_type": "glm_ocr_vision", "num_heads": vision["heads"], "out_hidden_size": text["h"],
            "patch_size": vision["patch"], "rms_norm_eps": vision["eps"], "spatial_merge_size": vision["merge"],
            "temporal_patch_size": 2,
        },
        "image_start_token_id": ids("<|begin_of_image|>"), "image_end_token_id": ids("<|end_of_image|>"),
        "video_start_token_id": ids("<|begin_of_video|>"), "video_end_token_id": ids("<|end_of_video|>"),
        "image_token_id": ids("<|image|>"), "video_token_id": ids("<|video|>"),
        "tie_word_embeddings": bool(variant), "transformers_version": "5.0.1dev0",
    }  # fmt: skip
    factor = vision["patch"] * vision["merge"]
    preprocessor = {
        "size": {"shortest_edge": 2 * 4 * factor * factor, "longest_edge": 2 * [30, 34][variant] * factor * factor},
        "do_rescale": True, "patch_size": vision["patch"], "temporal_patch_size": 2, "merge_size": vision["merge"],
        "image_mean": CLIP_MEAN, "image_std": CLIP_STD, "image_processor_type": "Glm46VImageProcessor",
        "processor_class": "Glm46VProcessor",
    }  # fmt: skip
    tokenizer_config = {
        "backend": "tokenizers", "clean_up_tokenization_spaces": False, "do_lower_case": False,
        "eos_token": "<|endoftext|>", "extra_special_tokens": specials, "is_local": True, "model_max_length": 655380,
        "model_specific_special_tokens": {}, "pad_token": "<|endoftext|>", "padding_side": "left",
        "processor_class": "Glm46VProcessor", "remove_space": False, "tokenizer_class": "TokenizersBackend",
    }  # fmt: skip
    # The multi-token-prediction layer of the published file, which plain decoding leaves out.
    h, q, k = text["h"], text["heads"] * text["hd"], text["kv"] * text["hd"]
    extra = {
        "eh_proj.weight": (h, 2 * h), "enorm.weight": (h,), "hnorm.weight": (h,), "embed_tokens.weight": (vocab, h),
        "shared_head.norm.weight": (h,), "shared_head.head.weight": (vocab, h), "input_layernorm.weight": (h,),
        "post_attention_layernorm.weight": (h,), "post_self_attn_layernorm.weight": (h,),
        "post_mlp_layernorm.weight": (h,), "self_attn.q_proj.weight": (q, h), "self_attn.k_proj.weight": (k, h),
        "self_attn.v_proj.weight": (k, h), "self_attn.o_proj.weight": (h, q),
        "mlp.gate_up_proj.weight": (2 * text["ff"], h), "mlp.down_proj.weight": (h, text["ff"]),
    }  # fmt: skip
    return Checkpoint(
        config, tokenizer, tokenizer_config, {}, GLM_OCR_TEMPLATE,
        {"do_sample": False, "eos_token_id": eos, "pad_token_id": eos[0]},
        {"preprocessor_config.json": preprocessor}, eos[::-1], "<|image|>",
        extra_tensors=unread({f"model.language_model.layers.{text['layers']}.{n}": shape for n, shape in extra.items()}),
    )  # fmt: skip
