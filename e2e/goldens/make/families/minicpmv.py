"""MiniCPM-V 4.6 and 4.7."""

import torch

from checkpoint import HALF, RESCALE, Checkpoint, DeltaRuleCheckpoint
from conversations import LONG_CASES, rotated_image
from families.qwen3_5 import QWEN3_5_TEMPLATE, adjust_qwen3_5, qwen3_5_text, qwen3_5_tokenizer, qwen3_5_tokenizer_config
from states import record_states
from taps import Taps
from template_cases import render_templates

# MiniCPM-V 4.6: Qwen3.5's, but the parts of a message are joined with newlines, a picture is one marker that the processor
# replaces, and thinking is off unless asked for. 4.7's template could not be read: the same is used.
SHOW_CONTENT = """{%- if enable_thinking is not defined -%}
    {%- set enable_thinking = false -%}
{%- endif -%}
{%- macro show(content, counting, in_system=false) -%}
    {%- if content is string -%}
        {{- content -}}
    {%- elif content is none or content is undefined -%}
        {{- '' -}}
    {%- elif content is iterable and content is not mapping -%}
        {%- set kept = namespace(texts=[]) -%}
        {%- for part in content -%}
            {%- if part.type == 'image' or 'image' in part or 'image_url' in part -%}
                {%- set kept.texts = kept.texts + ['<|image_pad|>'] -%}
                {%- if in_system -%}
                    {{- raise_exception('System message cannot contain images.') -}}
                {%- endif -%}
            {%- elif part.type == 'video' or 'video' in part -%}
                {%- set kept.texts = kept.texts + ['<|video_pad|>'] -%}
                {%- if in_system -%}
                    {{- raise_exception('System message cannot contain videos.') -}}
                {%- endif -%}
            {%- elif 'text' in part -%}
                {%- set kept.texts = kept.texts + [part.text] -%}
            {%- else -%}
                {{- raise_exception('Unexpected item type in content.') -}}
            {%- endif -%}
        {%- endfor -%}
        {{- kept.texts | join('\\n') -}}
    {%- else -%}
        {{- raise_exception('Unexpected content type.') -}}
    {%- endif -%}
{%- endmacro -%}
"""


def minicpmv_template() -> str:
    rest = QWEN3_5_TEMPLATE[QWEN3_5_TEMPLATE.index("{%- if not messages %}") :]
    thinking = "{%- if enable_thinking is defined and enable_thinking is true %}\n        {{- '<think>\\n' }}"
    off = "{{- '<think>\\n\\n</think>\\n\\n' }}"
    before, after = rest.split(thinking)
    after = after.replace(off, "{{- '<think>\\n' }}", 1)
    return SHOW_CONTENT + before + "{%- if enable_thinking is false %}\n        " + off + after


MINICPMV_TEMPLATE = minicpmv_template()


def record_minicpmv(reference, inputs, entry, eos, traced) -> dict[str, torch.Tensor]:
    """States, and the vision tower's tokens behind its window merger."""
    taps = Taps()
    taps.output(reference.model.model.vision_tower.vit_merger, "vision_merged")
    taps.run(reference, inputs)
    return {**record_states(reference, inputs, entry, eos, traced), **taps.seen}


MINICPMV_EXTRA = [
    "<unk>", "<image>", "</image>", "<ref>", "</ref>", "<box>", "</box>", "<quad>", "</quad>", "<point>", "</point>",
    "<slice>", "</slice>", "<image_id>", "</image_id>", "<timestamp>", "</timestamp>",
]  # fmt: skip


def adjust_minicpmv(model, draw) -> None:
    """As for Qwen3.5, but published entirely in bfloat16."""
    adjust_qwen3_5(model, draw, torch.bfloat16)


def minicpmv(variant: int, canvas: bool) -> Checkpoint:
    """MiniCPM-V 4.6 and 4.7 (`canvas`): SigLIP with a 2x2 window merger inside, slices, Qwen3.5's text model."""
    tokenizer = qwen3_5_tokenizer([420, 440][variant], MINICPMV_EXTRA)
    ids = tokenizer.token_to_id
    name = "MiniCPMV4_7" if canvas else "MiniCPMV4_6"
    words = [dict(h=64, heads=2, kv=1, hd=64, ff=152, layers=4, every=4, kernel=4, nk=4, nv=4, dk=16, dv=16,
                  section=[3, 3, 2], theta=10000000, partial=0.25, eps=1e-6),
             dict(h=96, heads=4, kv=2, hd=32, ff=168, layers=6, every=3, kernel=3, nk=2, nv=4, dk=16, dv=24,
                  section=[4, 2, 2], theta=1000000, partial=0.5, eps=1e-5)][variant]  # fmt: skip
    vision = [
        dict(h=48, heads=3, ff=104, layers=3, patch=8, insert=0, image=128, scale=96, slices=9),
        dict(h=64, heads=2, ff=88, layers=4, patch=6, insert=1, image=72, scale=96, slices=4),
    ][variant]
    vocab = tokenizer.get_vocab_size() + variant * 11
    text_config = qwen3_5_text(words, vocab, ids("<|endoftext|>"), True)
    for key in ("dtype", "eos_token_id", "use_cache"):
        text_config.pop(key)
    if not canvas:  # the published 4.6 has plain positions and no sections
        text_config["partial_rotary_factor"] = words["partial"]
        for key in ("mrope_section", "mrope_interleaved"):
            text_config["rope_parameters"].pop(key)
    markers = {
        "image_start_id": ids("<image>"), "image_end_id": ids("</image>"), "slice_start_id": ids("<slice>"),
        "slice_end_id": ids("</slice>"), "newline_id": tokenizer.encode("\n", add_special_tokens=False).ids[0],
    }  # fmt: skip
    config = {
        "architectures": [f"{name}ForConditionalGeneration"], "bos_token_id": None, "drop_vision_last_layer": False,
        "eos_token_id": ids("<|endoftext|>"), "image_size": vision["scale"], "model_type": name.lower(),
        "pad_token_id": None, "tie_word_embeddings": True, "transformers_version": "5.7.0", "use_cache": True,
        "vision_config": {
            "attention_dropout": 0.0, "hidden_act": "gelu_pytorch_tanh", "hidden_size": vision["h"],
            "image_size": vision["image"], "intermediate_size": vision["ff"], "layer_norm_eps": 1e-6,
            "model_type": f"{name.lower()}_vision", "num_attention_heads": vision["heads"], "num_channels": 3,
            "num_hidden_layers": vision["layers"], "patch_size": vision["patch"],
        },
        "text_config": text_config, "insert_layer_id": vision["insert"], "image_token_id": ids("<|image_pad|>"),
        "video_token_id": ids("<|video_pad|>"), **(markers if canvas else {}),
    }  # fmt: skip
    if canvas:
        config.pop("drop_vision_last_layer")
    # 4.6 is published with no more than this.
    preprocessor = {
        "image_processor_type": "MiniCPMV4_6ImageProcessor", "processor_class": f"{name}Processor",
        "max_slice_nums": vision["slices"], "scale_resolution": vision["scale"], "patch_size": vision["patch"],
        "use_image_id": True, "slice_mode": True, "image_mean": HALF, "image_std": HALF,
    }  # fmt: skip
    files = {"preprocessor_config.json": preprocessor}
    if variant:  # as transformers 5 converts and saves it
        preprocessor.update(do_convert_rgb=True, do_normalize=True, do_rescale=True, do_resize=True,
                            downsample_mode="16x", resample=3, rescale_factor=RESCALE)  # fmt: skip
        video = {k: v for k, v in preprocessor.items() if k != "image_processor_type"}
        video.update(max_slice_nums=1, video_processor_type="MiniCPMV4_6VideoProcessor")
        files["video_preprocessor_config.json"] = video
        files["processor_config.json"] = {"processor_class": f"{name}Processor"}
    names = {
        "image_token": "<|image_pad|>", "video_token": "<|video_pad|>", "image_start_token": "<image>",
        "image_end_token": "</image>", "slice_start_token": "<slice>", "slice_end_token": "</slice>",
        "image_id_start_token": "<image_id>", "image_id_end_token": "</image_id>",
    }  # fmt: skip
    tokenizer_config = qwen3_5_tokenizer_config(f"{name}Processor", **names, extra_special_tokens=names)
    tokenizer_config.update(bos_token="<|im_start|>", unk_token="<unk>")
    more = {"rotated": (rotated_image, (16, 25)), **{k: v for k, v in LONG_CASES.items() if k != "long"}}
    stops = [ids("<|endoftext|>"), ids("<|im_end|>")]
    return DeltaRuleCheckpoint(
        config, tokenizer, tokenizer_config, {}, MINICPMV_TEMPLATE,
        {"transformers_version": "5.7.0", "bos_token_id": ids("<|im_start|>"), "do_sample": True, "eos_token_id": stops,
         "repetition_penalty": 1.0, "temperature": 0.7, "top_k": 0, "top_p": 1.0},
        files, stops[::-1], "<|image_pad|>", plus_one_norms=True, tiled=True, more_cases=more, adjust=adjust_minicpmv,
        record=record_minicpmv, template_cases=render_templates,
    )  # fmt: skip
