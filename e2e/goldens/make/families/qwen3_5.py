"""Qwen3.5: Gated DeltaNet and gated attention layers."""

import math

import numpy as np
import torch
import torch.nn.functional as F

from checkpoint import HALF, Checkpoint, DeltaRuleCheckpoint, pad_to
from conversations import LONG_CASES
from draws import spread
from reference import text_model
from states import record_states
from taps import Taps
from template_cases import render_templates
from tiny_tokenizers import byte_level

QWEN3_5_TOOLS = (
    "\\n\\nIf you choose to call a function ONLY reply in the following format with NO suffix:\\n\\n<tool_call>\\n"
    "<function=example_function_name>\\n<parameter=example_parameter_1>\\nvalue_1\\n</parameter>\\n"
    "<parameter=example_parameter_2>\\nThis is the value for the second parameter\\nthat can span\\nmultiple lines\\n"
    "</parameter>\\n</function>\\n</tool_call>\\n\\n<IMPORTANT>\\nReminder:\\n"
    "- Function calls MUST follow the specified format: an inner <function=...></function> block must be nested within "
    "<tool_call></tool_call> XML tags\\n- Required parameters MUST be specified\\n"
    "- You may provide optional reasoning for your function call in natural language BEFORE the function call, but NOT "
    "after\\n- If there is no function call available, answer the question like normal with your current knowledge and "
    "do not tell the user about function calls\\n</IMPORTANT>"
)


# `%IMAGE%` and `%VIDEO%` stand for the placeholders.
QWEN3_5_ANY_TEMPLATE = """{%- set seen = namespace(images=0, videos=0) %}
{%- macro show(content, counting, in_system=false) %}
    {%- if content is string %}
        {{- content }}
    {%- elif content is none or content is undefined %}
        {{- '' }}
    {%- elif content is iterable and content is not mapping %}
        {%- for part in content %}
            {%- if part.type == 'image' or 'image' in part or 'image_url' in part %}
                {%- if in_system %}
                    {{- raise_exception('System message cannot contain images.') }}
                {%- endif %}
                {%- if counting %}
                    {%- set seen.images = seen.images + 1 %}
                {%- endif %}
                {%- if add_vision_id %}
                    {{- 'Picture ' ~ seen.images ~ ': ' }}
                {%- endif %}
                {{- '%IMAGE%' }}
            {%- elif part.type == 'video' or 'video' in part %}
                {%- if in_system %}
                    {{- raise_exception('System message cannot contain videos.') }}
                {%- endif %}
                {%- if counting %}
                    {%- set seen.videos = seen.videos + 1 %}
                {%- endif %}
                {%- if add_vision_id %}
                    {{- 'Video ' ~ seen.videos ~ ': ' }}
                {%- endif %}
                {{- '%VIDEO%' }}
            {%- elif 'text' in part %}
                {{- part.text }}
            {%- else %}
                {{- raise_exception('Unexpected item type in content.') }}
            {%- endif %}
        {%- endfor %}
    {%- else %}
        {{- raise_exception('Unexpected content type.') }}
    {%- endif %}
{%- endmacro %}
{%- if not messages %}
    {{- raise_exception('No messages provided.') }}
{%- endif %}
{%- set system = '' %}
{%- if messages[0].role == 'system' %}
    {%- set system = show(messages[0].content, false, true) | trim %}
{%- endif %}
{%- if tools and tools is iterable and tools is not mapping %}
    {{- '<|im_start|>system\\n# Tools\\n\\nYou have access to the following functions:\\n\\n<tools>' }}
    {%- for tool in tools %}
        {{- '\\n' }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- '\\n</tools>' }}
    {{- '%TOOLS%' }}
    {%- if system %}
        {{- '\\n\\n' + system }}
    {%- endif %}
    {{- '<|im_end|>\\n' }}
{%- elif messages[0].role == 'system' %}
    {{- '<|im_start|>system\\n' + system + '<|im_end|>\\n' }}
{%- endif %}
{%- set query = namespace(open=true, index=messages | length - 1) %}
{%- for message in messages[::-1] %}
    {%- if query.open and message.role == 'user' %}
        {%- set content = show(message.content, false) | trim %}
        {%- if not (content.startswith('<tool_response>') and content.endswith('</tool_response>')) %}
            {%- set query.open = false %}
            {%- set query.index = messages | length - 1 - loop.index0 %}
        {%- endif %}
    {%- endif %}
{%- endfor %}
{%- if query.open %}
    {{- raise_exception('No user query found in messages.') }}
{%- endif %}
{%- for message in messages %}
    {%- set content = show(message.content, true) | trim %}
    {%- if message.role == 'system' %}
        {%- if not loop.first %}
            {{- raise_exception('System message must be at the beginning.') }}
        {%- endif %}
    {%- elif message.role == 'user' %}
        {{- '<|im_start|>user\\n' + content + '<|im_end|>\\n' }}
    {%- elif message.role == 'assistant' %}
        {%- set thought = '' %}
        {%- if message.reasoning_content is string %}
            {%- set thought = message.reasoning_content %}
        {%- elif '</think>' in content %}
            {%- set thought = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {%- if loop.index0 > query.index %}
            {{- '<|im_start|>assistant\\n<think>\\n' + thought | trim + '\\n</think>\\n\\n' + content }}
        {%- else %}
            {{- '<|im_start|>assistant\\n' + content }}
        {%- endif %}
        {%- if message.tool_calls and message.tool_calls is iterable and message.tool_calls is not mapping %}
            {%- for call in message.tool_calls %}
                {%- set function = call.function if call.function is defined else call %}
                {%- if not loop.first %}
                    {{- '\\n' }}
                {%- elif content | trim %}
                    {{- '\\n\\n' }}
                {%- endif %}
                {{- '<tool_call>\\n<function=' + function.name + '>\\n' }}
                {%- if function.arguments is defined %}
                    {%- for key, value in function.arguments | items %}
                        {{- '<parameter=' + key + '>\\n' }}
                        {%- if value is mapping or (value is sequence and value is not string) %}
                            {{- value | tojson | safe }}
                        {%- else %}
                            {{- value | string }}
                        {%- endif %}
                        {{- '\\n</parameter>\\n' }}
                    {%- endfor %}
                {%- endif %}
                {{- '</function>\\n</tool_call>' }}
            {%- endfor %}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == 'tool' %}
        {%- if loop.previtem and loop.previtem.role != 'tool' %}
            {{- '<|im_start|>user' }}
        {%- endif %}
        {{- '\\n<tool_response>\\n' + content + '\\n</tool_response>' }}
        {%- if loop.last or loop.nextitem.role != 'tool' %}
            {{- '<|im_end|>\\n' }}
        {%- endif %}
    {%- else %}
        {{- raise_exception('Unexpected message role.') }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is true %}
        {{- '<think>\\n' }}
    {%- else %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}"""


def qwen3_5_template(image: str, video: str) -> str:
    return QWEN3_5_ANY_TEMPLATE.replace("%IMAGE%", image).replace("%VIDEO%", video).replace("%TOOLS%", QWEN3_5_TOOLS)


QWEN3_5_TEMPLATE = qwen3_5_template(
    "<|vision_start|><|image_pad|><|vision_end|>", "<|vision_start|><|video_pad|><|vision_end|>"
)


QWEN3_5_REGEX = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)


# Ids 248044 to 248076 of the published vocabulary, in order.
QWEN3_5_SPECIALS = [
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>",
    "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>",
    "<|image_pad|>", "<|video_pad|>", "<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>",
    "<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>", "<tool_response>", "</tool_response>", "<think>",
    "</think>", "<|audio_start|>", "<|audio_end|>", "<tts_pad>", "<tts_text_bos>", "<tts_text_eod>",
    "<tts_text_bos_single>", "<|audio_pad|>",
]  # fmt: skip


QWEN3_5_PLAIN = (
    "<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>",
    "<|file_sep|>", "<tool_response>", "</tool_response>", "<think>", "</think>",
)  # fmt: skip


def step_by_step(conv, beta, decay, heads_k, heads_v, dim_k, dim_v, state=None):
    """The gated delta rule token by token. conv: [tokens, 2*heads_k*dim_k + heads_v*dim_v] after SiLU."""
    q, k, v = conv.split([heads_k * dim_k, heads_k * dim_k, heads_v * dim_v], dim=-1)
    tokens, group = conv.shape[0], heads_v // heads_k
    q, k = (x.view(tokens, heads_k, dim_k).repeat_interleave(group, 1) for x in (q, k))
    q, k = (x * torch.rsqrt((x * x).sum(-1, keepdim=True) + 1e-6) for x in (q, k))
    v = v.view(tokens, heads_v, dim_v)
    state = torch.zeros(heads_v, dim_k, dim_v, dtype=conv.dtype) if state is None else state
    rows = []
    for t in range(tokens):
        state = state * decay[t].exp()[:, None, None]
        delta = beta[t][:, None] * (v[t] - torch.einsum("hkv,hk->hv", state, k[t]))
        state = state + torch.einsum("hk,hv->hkv", k[t], delta)
        rows.append(torch.einsum("hkv,hk->hv", state, q[t]) / math.sqrt(dim_k))
    return torch.stack(rows), state


def delta_trace(reference, inputs, layer: int) -> dict[str, torch.Tensor]:
    """What happens inside one Gated DeltaNet layer in prefill, checked against the rule token by token."""
    net, taps = text_model(reference.model).layers[layer].linear_attn, Taps()
    for name in ("in_proj_qkv", "in_proj_z", "in_proj_b", "in_proj_a", "norm", "out_proj"):
        taps.on_output(
            getattr(net, name), lambda args, output, name=name: taps.seen.__setitem__(name, (args[0], output))
        )
    taps.run(reference, inputs)
    seen = taps.seen
    mixed = seen["in_proj_qkv"][1][0]
    kernel = net.conv1d.weight.shape[-1]
    with reference.computing():
        padded = F.pad(mixed.T[None], (kernel - 1, 0))
        conv = F.silu(F.conv1d(padded, net.conv1d.weight, groups=mixed.shape[-1]))[0].T
        beta = seen["in_proj_b"][1][0].sigmoid()
        decay = -net.A_log.exp() * F.softplus(seen["in_proj_a"][1][0] + net.dt_bias)
        core, state = step_by_step(
            conv, beta, decay, net.num_k_heads, net.num_v_heads, net.head_k_dim, net.head_v_dim
        )  # fmt: skip
    recorded = seen["norm"][0].view(core.shape)
    check_same(core, recorded, "the delta rule token by token")
    prefix = f"delta.{layer}"
    return {
        f"{prefix}.mixed": mixed, f"{prefix}.conv": conv, f"{prefix}.z": seen["in_proj_z"][1][0], f"{prefix}.beta": beta,
        f"{prefix}.decay": decay, f"{prefix}.core": recorded, f"{prefix}.normed": seen["norm"][1].view(core.shape),
        f"{prefix}.out": seen["out_proj"][1][0], "check.recurrent": state,
    }  # fmt: skip


def check_same(mine: torch.Tensor, recorded: torch.Tensor, what: str) -> None:
    error = float((mine - recorded).abs().max() / recorded.square().mean().sqrt())
    if error > 1e-9:
        raise ValueError(f"{what} differs from the reference by {error}")


def record_qwen3_5(reference, inputs, entry, eos, traced) -> dict[str, torch.Tensor]:
    out = record_states(reference, inputs, entry, eos, traced)
    types = reference.model.config.get_text_config().layer_types
    last = max(i for i, kind in enumerate(types) if kind == "linear_attention")
    for layer in (0, last):
        trace = delta_trace(reference, inputs, layer)
        check_same(
            trace.pop("check.recurrent"), out[f"state.recurrent.{layer}"], f"the recurrent state of layer {layer}"
        )
        if layer == 0:
            out.update(trace)
    return out


def adjust_qwen3_5(model, draw, dtype: torch.dtype = torch.float32) -> None:
    """Decays that remember 1 to 60 tokens, convolutions of size one, plain weights for the gated norm.

    `dtype` is that of the stored decays and gated norms.
    """
    for name, parameter in model.named_parameters():
        shape = parameter.shape
        if name.endswith("A_log"):
            values = spread(len(parameter), math.log(0.03), math.log(0.9), draw.generator(name))
            parameter.copy_(torch.from_numpy(np.array(values, np.float32)).to(dtype))
        elif name.endswith("dt_bias"):
            parameter.copy_(draw(name, shape, 0.7))
        elif name.endswith("linear_attn.norm.weight"):
            parameter.copy_(draw(name, shape, 0.2, 1.0, dtype=dtype))
        elif name.endswith("conv1d.weight"):
            parameter.copy_(draw(name, shape, 0.6))
    # Queries resemble keys: the gated norm would magnify rounding errors where their product is almost zero.
    for name, module in model.named_modules():
        if hasattr(module, "in_proj_qkv"):
            for part in ("in_proj_qkv", "conv1d"):
                weight = getattr(module, part).weight
                weight.copy_(draw.blended(f"{name}.{part}.weight", module.key_dim, 0.55, 0.83))


def qwen3_5_mtp(model, draw) -> dict[str, torch.Tensor]:
    """The multi-token-prediction block of the published files, which plain decoding does not use."""
    config = model.config.get_text_config()
    h, ff, hd = config.hidden_size, config.intermediate_size, config.head_dim
    heads, kv = config.num_attention_heads, config.num_key_value_heads
    shapes = {
        "fc.weight": (h, 2 * h), "norm.weight": (h,), "pre_fc_norm_embedding.weight": (h,),
        "pre_fc_norm_hidden.weight": (h,), "layers.0.input_layernorm.weight": (h,),
        "layers.0.post_attention_layernorm.weight": (h,), "layers.0.mlp.gate_proj.weight": (ff, h),
        "layers.0.mlp.up_proj.weight": (ff, h), "layers.0.mlp.down_proj.weight": (h, ff),
        "layers.0.self_attn.q_proj.weight": (2 * heads * hd, h), "layers.0.self_attn.k_proj.weight": (kv * hd, h),
        "layers.0.self_attn.v_proj.weight": (kv * hd, h), "layers.0.self_attn.o_proj.weight": (h, heads * hd),
        "layers.0.self_attn.q_norm.weight": (hd,), "layers.0.self_attn.k_norm.weight": (hd,),
    }  # fmt: skip
    return {f"mtp.{name}": draw(f"mtp.{name}", shape, 0.1) for name, shape in shapes.items()}


def qwen3_5_tokenizer(size: int, extra: list[str] = ()):
    return byte_level(size, QWEN3_5_REGEX, [], QWEN3_5_SPECIALS + list(extra), nfc=True, plain=QWEN3_5_PLAIN)


def qwen3_5_text(text: dict, vocab: int, endoftext: int, tied: bool) -> dict:
    """text_config of Qwen3.5 as published."""
    layers, every = text["layers"], text["every"]
    return {
        "attention_bias": False, "attention_dropout": 0.0, "attn_output_gate": True, "dtype": "bfloat16",
        "eos_token_id": endoftext, "full_attention_interval": every, "head_dim": text["hd"], "hidden_act": "silu",
        "hidden_size": text["h"], "initializer_range": 0.02, "intermediate_size": text["ff"],
        "layer_types": ["linear_attention" if (i + 1) % every else "full_attention" for i in range(layers)],
        "linear_conv_kernel_dim": text["kernel"], "linear_key_head_dim": text["dk"],
        "linear_num_key_heads": text["nk"], "linear_num_value_heads": text["nv"], "linear_value_head_dim": text["dv"],
        "max_position_embeddings": 262144, "mlp_only_layers": [], "model_type": "qwen3_5_text",
        "mtp_num_hidden_layers": 1, "mtp_use_dedicated_embeddings": False, "num_attention_heads": text["heads"],
        "num_hidden_layers": layers, "num_key_value_heads": text["kv"], "rms_norm_eps": text["eps"],
        "tie_word_embeddings": tied, "use_cache": True, "vocab_size": vocab, "mamba_ssm_dtype": "float32",
        "rope_parameters": {"mrope_interleaved": True, "mrope_section": text["section"], "rope_type": "default",
                            "rope_theta": text["theta"], "partial_rotary_factor": text["partial"]},
    }  # fmt: skip


QWEN3_5_TEXTS = [
    dict(h=64, heads=2, kv=1, hd=64, ff=152, layers=8, every=4, kernel=4, nk=2, nv=4, dk=16, dv=16, section=[3, 3, 2],
         theta=10000000, partial=0.25, eps=1e-6),
    dict(h=96, heads=4, kv=2, hd=32, ff=168, layers=5, every=3, kernel=3, nk=2, nv=6, dk=24, dv=16, section=[4, 2, 2],
         theta=1000000, partial=0.5, eps=1e-5),
]  # fmt: skip


def qwen3_5_tokenizer_config(processor: str, **more) -> dict:
    return {
        "add_bos_token": False, "add_prefix_space": False, "bos_token": None, "clean_up_tokenization_spaces": False,
        "eos_token": "<|im_end|>", "errors": "replace", "model_max_length": 262144, "pad_token": "<|endoftext|>",
        "processor_class": processor, "split_special_tokens": False, "tokenizer_class": "Qwen2Tokenizer",
        "unk_token": None, **more,
    }  # fmt: skip


def qwen3_5(variant: int) -> Checkpoint:
    """Qwen3.5 0.8B/2B/4B: Qwen3-VL's tower without DeepStack; Gated DeltaNet and gated full attention."""
    tokenizer = qwen3_5_tokenizer([430, 410][variant])
    ids = tokenizer.token_to_id
    words = QWEN3_5_TEXTS[variant]
    vision = [
        dict(h=64, heads=2, ff=152, depth=3, patch=16, positions=36),
        dict(h=96, heads=3, ff=168, depth=2, patch=14, positions=64),
    ][variant]
    factor = vision["patch"] * 2
    config = {
        "architectures": ["Qwen3_5ForConditionalGeneration"], "image_token_id": ids("<|image_pad|>"),
        "model_type": "qwen3_5",
        "text_config": qwen3_5_text(words, pad_to(tokenizer.get_vocab_size()), ids("<|endoftext|>"), not variant),
        "tie_word_embeddings": not variant, "transformers_version": "4.57.0.dev0",
        "video_token_id": ids("<|video_pad|>"),
        "vision_config": {
            "deepstack_visual_indexes": [], "depth": vision["depth"], "hidden_act": "gelu_pytorch_tanh",
            "hidden_size": vision["h"], "in_channels": 3, "initializer_range": 0.02, "intermediate_size": vision["ff"],
            "model_type": "qwen3_5", "num_heads": vision["heads"], "num_position_embeddings": vision["positions"],
            "out_hidden_size": words["h"], "patch_size": vision["patch"], "spatial_merge_size": 2,
            "temporal_patch_size": 2,
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
    return DeltaRuleCheckpoint(
        config, tokenizer, qwen3_5_tokenizer_config("Qwen3VLProcessor"), {}, QWEN3_5_TEMPLATE,
        {"transformers_version": "4.57.1", "eos_token_id": [ids("<|im_end|>"), ids("<|endoftext|>")],
         "pad_token_id": ids("<|endoftext|>")},
        {"preprocessor_config.json": preprocessor, "video_preprocessor_config.json": video},
        [ids("<|im_end|>"), ids("<|endoftext|>")], "<|image_pad|>", plus_one_norms=True,
        more_cases=LONG_CASES, more_picked=["long"], adjust=adjust_qwen3_5, float32=r"A_log$|linear_attn\.norm\.weight$",
        extra_tensors=None if variant else qwen3_5_mtp,
        shard=None if variant else "model.safetensors-00001-of-00001.safetensors", record=record_qwen3_5,
        template_cases=render_templates,
    )  # fmt: skip
