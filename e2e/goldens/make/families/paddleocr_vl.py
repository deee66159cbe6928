"""PaddleOCR-VL."""

from checkpoint import HALF, RESCALE, Checkpoint, pad_to, unread
from tiny_tokenizers import byte_fallback, without_post_processor


def paddleocr_vl_template(answer: str) -> str:
    """PaddleOCR-VL. `answer` opens the assistant's turn: "Assistant: " in 1.0, "Assistant:\\n" in 1.5 and 1.6.

    Like the published template it walks over message['content'], so a plain string renders as nothing.
    """
    answer = answer.replace("\n", "\\n")
    return (
        """{%- if not add_generation_prompt is defined -%}
    {%- set add_generation_prompt = true -%}
{%- endif -%}
{%- if not cls_token is defined -%}
    {%- set cls_token = "<|begin_of_sentence|>" -%}
{%- endif -%}
{%- if not eos_token is defined -%}
    {%- set eos_token = "</s>" -%}
{%- endif -%}
{%- set picture = "<|IMAGE_START|><|IMAGE_PLACEHOLDER|><|IMAGE_END|>" -%}
{{- cls_token -}}
{%- for turn in messages -%}
    {%- if turn["role"] == "user" -%}
        {{- "User: " -}}
        {%- for part in turn["content"] -%}
            {%- if part["type"] == "image" -%}
                {{ picture }}
            {%- endif -%}
        {%- endfor -%}
        {%- for part in turn["content"] -%}
            {%- if part["type"] == "text" -%}
                {{ part["text"] }}
            {%- endif -%}
        {%- endfor -%}
        {{ "\\n" -}}
    {%- elif turn["role"] == "assistant" -%}
        {{- "ANSWER" -}}
        {%- for part in turn["content"] -%}
            {%- if part["type"] == "text" -%}
                {{ part["text"] }}
            {%- endif -%}
        {%- endfor -%}
        {{ eos_token -}}
    {%- elif turn["role"] == "system" -%}
        {%- for part in turn["content"] -%}
            {%- if part["type"] == "text" -%}
                {{ part["text"] + "\\n" -}}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{- "ANSWER" -}}
{%- endif -%}
"""
    ).replace("ANSWER", answer)


def paddleocr_vl(variant: int) -> Checkpoint:
    """PaddleOCR-VL: SigLIP tower with resized positions and 2-D RoPE, 2x2 merging projector, ERNIE 4.5 text, M-RoPE."""
    last = ["<|begin_of_sentence|>", "<|end_of_sentence|>", "<|IMAGE_PLACEHOLDER|>", "<|VIDEO_PLACEHOLDER|>",
            "<|LOC_0|>", "<|LOC_1|>", "<|IMAGE_START|>", "<|IMAGE_END|>"]  # fmt: skip
    tokenizer = without_post_processor(
        byte_fallback([250, 290][variant], ["<unk>", "<s>", "</s>"], last, "<s>", "<unk>", False)
    )
    ids = tokenizer.token_to_id
    text = [
        dict(h=96, heads=2, kv=1, hd=64, ff=168, layers=3, section=[8, 12, 12], theta=500000, eps=1e-5),
        dict(h=128, heads=4, kv=2, hd=48, ff=136, layers=2, section=[4, 10, 10], theta=90000, eps=1e-6),
    ][variant]
    vision = [
        dict(h=144, heads=2, ff=200, layers=2, patch=14, image=60, merge=2),
        dict(h=128, heads=4, ff=152, layers=3, patch=10, image=78, merge=2),
    ][variant]
    vocab = pad_to(tokenizer.get_vocab_size())
    config = {
        "architectures": ["PaddleOCRVLForConditionalGeneration"], "attention_probs_dropout_prob": 0.0,
        "auto_map": {"AutoConfig": "configuration_paddleocr_vl.PaddleOCRVLConfig",
                     "AutoModel": "modeling_paddleocr_vl.PaddleOCRVLForConditionalGeneration",
                     "AutoModelForCausalLM": "modeling_paddleocr_vl.PaddleOCRVLForConditionalGeneration"},
        "compression_ratio": 1.0, "head_dim": text["hd"], "hidden_act": "silu", "hidden_dropout_prob": 0.0,
        "hidden_size": text["h"], "ignored_index": -100, "image_token_id": ids("<|IMAGE_PLACEHOLDER|>"),
        "intermediate_size": text["ff"], "max_position_embeddings": 131072, "max_sequence_length": None,
        "model_type": "paddleocr_vl", "num_attention_heads": text["heads"], "num_hidden_layers": text["layers"],
        "num_key_value_heads": text["kv"], "pad_token_id": 0, "rms_norm_eps": text["eps"],
        "rope_scaling": {"mrope_section": text["section"], "rope_type": "default", "type": "default"},
        "rope_theta": text["theta"], "sliding_window": None, "tie_word_embeddings": False, "torch_dtype": "bfloat16",
        "transformers_version": "4.55.0", "use_bias": False, "use_cache": False, "use_flash_attention": False,
        "video_token_id": ids("<|VIDEO_PLACEHOLDER|>"),
        "vision_config": {
            "architectures": ["SiglipVisionModel"], "attention_dropout": 0.0,
            "auto_map": {"AutoConfig": "configuration_paddleocr_vl.PaddleOCRVLConfig",
                         "AutoModel": "modeling_paddleocr_vl.SiglipVisionModel"},
            "hidden_act": "gelu_pytorch_tanh", "hidden_size": vision["h"], "image_size": vision["image"],
            "intermediate_size": vision["ff"], "layer_norm_eps": [1e-6, 1e-5][variant], "model_type": "paddleocr_vl",
            "num_attention_heads": vision["heads"], "num_channels": 3, "num_hidden_layers": vision["layers"],
            "pad_token_id": 0, "patch_size": vision["patch"], "spatial_merge_size": vision["merge"],
            "temporal_patch_size": 2, "tokens_per_second": 2, "torch_dtype": "bfloat16",
        },
        "vision_start_token_id": ids("<|IMAGE_START|>"), "vision_end_token_id": ids("<|IMAGE_END|>"),
        "vocab_size": vocab, "weight_share_add_bias": True, "use_3d_rope": True, "rope_is_neox_style": True,
    }  # fmt: skip
    factor = vision["patch"] * vision["merge"]
    limits = {"max_pixels": [30, 34][variant] * factor * factor, "min_pixels": 4 * factor * factor + 7}
    preprocessor = {
        "auto_map": {"AutoImageProcessor": "image_processing.SiglipImageProcessor",
                     "AutoProcessor": "processing_paddleocr_vl.PaddleOCRVLProcessor"},
        "do_convert_rgb": True, "do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": HALF,
        "image_processor_type": "PaddleOCRVLImageProcessor", "image_std": HALF, **limits,
        "merge_size": vision["merge"], "patch_size": vision["patch"], "processor_class": "PaddleOCRVLProcessor",
        "resample": 3, "rescale_factor": RESCALE, "size": limits, "temporal_conv_size": 1, "temporal_patch_size": 1,
    }  # fmt: skip
    if variant:
        preprocessor.pop("auto_map")
        preprocessor["size"] = {"shortest_edge": limits["min_pixels"], "longest_edge": limits["max_pixels"]}
    tokenizer_config = {
        "add_bos_token": False, "add_eos_token": False, "add_prefix_space": False, "bos_token": "<s>",
        "clean_up_tokenization_spaces": False, "cls_token": "<|begin_of_sentence|>", "eos_token": "</s>",
        "extra_special_tokens": {"image_token": "<|IMAGE_PLACEHOLDER|>"}, "image_token": "<|IMAGE_PLACEHOLDER|>",
        "legacy": True, "model_max_length": 131072, "pad_token": "<unk>", "processor_class": "PaddleOCRVLProcessor",
        "sep_token": "<|end_of_sentence|>", "tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "<unk>",
    }  # fmt: skip
    # The published file also has a pooling head and a second position table, which nothing reads.
    v, extra = vision["h"], {}
    for name, shape in {
        "embeddings.packing_position_embedding.weight": (96, v), "head.probe": (1, 1, v),
        "head.attention.in_proj_weight": (3 * v, v), "head.attention.in_proj_bias": (3 * v,),
        "head.attention.out_proj.weight": (v, v), "head.attention.out_proj.bias": (v,),
        "head.layernorm.weight": (v,), "head.layernorm.bias": (v,), "head.mlp.fc1.weight": (vision["ff"], v),
        "head.mlp.fc1.bias": (vision["ff"],), "head.mlp.fc2.weight": (v, vision["ff"]), "head.mlp.fc2.bias": (v,),
    }.items():  # fmt: skip
        extra[f"visual.vision_model.{name}"] = shape
    return Checkpoint(
        config, tokenizer, tokenizer_config,
        {"bos_token": "<s>", "cls_token": "<|begin_of_sentence|>", "eos_token": "</s>", "pad_token": "<unk>",
         "sep_token": "<|end_of_sentence|>", "unk_token": "<unk>"},
        paddleocr_vl_template(["Assistant: ", "Assistant:\n"][variant]),
        {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0, "use_cache": False},
        {"preprocessor_config.json": preprocessor}, [2], "<|IMAGE_PLACEHOLDER|>",
        rename=[(r"^model\.visual\.", "visual."), (r"^model\.projector\.", "mlp_AR."), (r"^model\.language_model\.", "model.")],
        extra_tensors=unread(extra), separate_head=True, parts_only=True,
    )  # fmt: skip
