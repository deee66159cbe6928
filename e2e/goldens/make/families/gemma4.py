"""Gemma 4 E2B and E4B."""

import math
import re

import torch
import torch.nn.functional as F
from tokenizers import processors

from checkpoint import RESCALE, Checkpoint, DeltaRuleCheckpoint, pad_to
from conversations import LONG_CASES
from draws import spread
from reference import text_model
from taps import Taps
from template_cases import render_templates
from tiny_tokenizers import byte_fallback

# Gemma 4 E2B/E4B. `<|"|>` is the string delimiter of its tool syntax.
GEMMA4_TEMPLATE = """{%- macro quoted(text) -%}
    {{- '<|"|>' + text + '<|"|>' -}}
{%- endmacro -%}
{%- macro value_of(value, quote_keys=True) -%}
    {%- if value is string -%}
        {{- quoted(value) -}}
    {%- elif value is boolean -%}
        {{- 'true' if value else 'false' -}}
    {%- elif value is mapping -%}
        {{- '{' -}}
        {%- for key, item in value | dictsort -%}
            {{- (quoted(key) if quote_keys else key) + ':' + value_of(item, quote_keys) + (',' if not loop.last else '') -}}
        {%- endfor -%}
        {{- '}' -}}
    {%- elif value is iterable -%}
        {{- '[' -}}
        {%- for item in value -%}
            {{- value_of(item, quote_keys) + (',' if not loop.last else '') -}}
        {%- endfor -%}
        {{- ']' -}}
    {%- else -%}
        {{- value -}}
    {%- endif -%}
{%- endmacro -%}
{%- macro name_list(names) -%}
    {{- '[' -}}
    {%- for name in names -%}
        {{- quoted(name) + (',' if not loop.last else '') -}}
    {%- endfor -%}
    {{- ']' -}}
{%- endmacro -%}
{%- macro type_of(type) -%}
    {{- value_of(type | upper) if type is string else value_of(type | map('upper') | list) -}}
{%- endmacro -%}
{%- macro parameters(properties, filter_keys=false) -%}
    {%- set comma = namespace(needed=false) -%}
    {%- for key, value in properties | dictsort -%}
        {%- if not filter_keys or key not in ['description', 'type', 'properties', 'required', 'nullable'] -%}
            {{- (',' if comma.needed else '') + key + ':{' -}}
            {%- set comma.needed = true -%}
            {%- set fields = namespace(any=false) -%}
            {%- if value['description'] -%}
                {{- 'description:' + quoted(value['description']) -}}
                {%- set fields.any = true -%}
            {%- endif -%}
            {%- if value['type'] | upper == 'STRING' -%}
                {%- if value['enum'] -%}
                    {{- (',' if fields.any else '') + 'enum:' + value_of(value['enum']) -}}
                    {%- set fields.any = true -%}
                {%- endif -%}
            {%- elif value['type'] | upper == 'ARRAY' -%}
                {%- if value['items'] is mapping and value['items'] -%}
                    {{- (',' if fields.any else '') + 'items:{' -}}
                    {%- set fields.any = true -%}
                    {%- set inner = namespace(any=false) -%}
                    {%- for item_key, item in value['items'] | dictsort -%}
                        {%- if item is not none -%}
                            {{- ',' if inner.any else '' -}}
                            {%- set inner.any = true -%}
                            {%- if item_key == 'properties' -%}
                                {{- 'properties:{' -}}
                                {%- if item is mapping -%}
                                    {{- parameters(item) -}}
                                {%- endif -%}
                                {{- '}' -}}
                            {%- elif item_key == 'required' -%}
                                {{- 'required:' + name_list(item) -}}
                            {%- elif item_key == 'type' -%}
                                {{- 'type:' + type_of(item) -}}
                            {%- else -%}
                                {{- item_key + ':' + value_of(item) -}}
                            {%- endif -%}
                        {%- endif -%}
                    {%- endfor -%}
                    {{- '}' -}}
                {%- endif -%}
            {%- endif -%}
            {%- if value['nullable'] -%}
                {{- (',' if fields.any else '') + 'nullable:true' -}}
                {%- set fields.any = true -%}
            {%- endif -%}
            {%- if value['type'] | upper == 'OBJECT' -%}
                {{- (',' if fields.any else '') + 'properties:{' -}}
                {%- set fields.any = true -%}
                {%- if value['properties'] is defined and value['properties'] is mapping -%}
                    {{- parameters(value['properties']) -}}
                {%- else -%}
                    {{- parameters(value, true) -}}
                {%- endif -%}
                {{- '}' -}}
                {%- if value['required'] -%}
                    {{- ',required:' + name_list(value['required']) -}}
                {%- endif -%}
            {%- endif -%}
            {{- (',' if fields.any else '') + 'type:' + quoted(value['type'] | upper) + '}' -}}
        {%- endif -%}
    {%- endfor -%}
{%- endmacro -%}
{%- macro declaration(tool) -%}
    {%- set function = tool['function'] -%}
    {{- 'declaration:' + function['name'] + '{description:' + quoted(function['description']) -}}
    {%- if function['parameters'] -%}
        {{- ',parameters:{' -}}
        {%- if function['parameters']['properties'] -%}
            {{- 'properties:{' + parameters(function['parameters']['properties']) + '},' -}}
        {%- endif -%}
        {%- if function['parameters']['required'] -%}
            {{- 'required:' + name_list(function['parameters']['required']) + ',' -}}
        {%- endif -%}
        {%- if function['parameters']['type'] -%}
            {{- 'type:' + quoted(function['parameters']['type'] | upper) + '}' -}}
        {%- endif -%}
    {%- endif -%}
    {%- if 'response' in function -%}
        {{- ',response:{' -}}
        {%- if function['response']['description'] -%}
            {{- 'description:' + quoted(function['response']['description']) + ',' -}}
        {%- endif -%}
        {%- if function['response']['type'] | upper == 'OBJECT' -%}
            {{- 'type:' + quoted(function['response']['type'] | upper) + '}' -}}
        {%- endif -%}
    {%- endif -%}
    {{- '}' -}}
{%- endmacro -%}
{%- macro without_thoughts(text) -%}
    {%- set kept = namespace(text='') -%}
    {%- for part in text.split('<channel|>') -%}
        {%- set kept.text = kept.text + part.split('<|channel>')[0] -%}
    {%- endfor -%}
    {{- kept.text | trim -}}
{%- endmacro -%}
{%- macro tool_answer(name, response) -%}
    {{- '<|tool_response>response:' + name + '{' -}}
    {%- if response is mapping -%}
        {%- for key, value in response | dictsort -%}
            {{- key + ':' + value_of(value, False) + (',' if not loop.last else '') -}}
        {%- endfor -%}
    {%- else -%}
        {{- 'value:' + value_of(response, False) -}}
    {%- endif -%}
    {{- '}<tool_response|>' -}}
{%- endmacro -%}
{%- macro placeholder(part) -%}
    {%- if part['type'] in ['image', 'audio', 'video'] -%}
        {{- '<|' + part['type'] + '|>' -}}
    {%- endif -%}
{%- endmacro -%}
{{- bos_token -}}
{%- set state = namespace(last=none, user=-1) -%}
{%- set turns = messages -%}
{%- set thinking = enable_thinking is defined and enable_thinking -%}
{%- if thinking or tools or messages[0]['role'] in ['system', 'developer'] -%}
    {{- '<|turn>system\\n' + ('<|think|>\\n' if thinking else '') -}}
    {%- if messages[0]['role'] in ['system', 'developer'] -%}
        {%- if messages[0]['content'] is string -%}
            {{- messages[0]['content'] | trim -}}
        {%- elif messages[0]['content'] is iterable -%}
            {%- for part in messages[0]['content'] -%}
                {{- part['text'] | trim + ' ' -}}
            {%- endfor -%}
        {%- endif -%}
        {%- set turns = messages[1:] -%}
    {%- endif -%}
    {%- for tool in tools or [] -%}
        {{- '<|tool>' + declaration(tool) + '<tool|>' -}}
    {%- endfor -%}
    {{- '<turn|>\\n' -}}
{%- endif -%}
{%- for message in turns -%}
    {%- if message['role'] == 'user' -%}
        {%- set state.user = loop.index0 -%}
    {%- endif -%}
{%- endfor -%}
{%- for message in turns -%}
    {%- if message['role'] != 'tool' -%}
        {%- set state.last = none -%}
        {%- set role = 'model' if message['role'] == 'assistant' else message['role'] -%}
        {%- set before = namespace(role=none) -%}
        {%- for earlier in turns[:loop.index0] -%}
            {%- if earlier['role'] != 'tool' -%}
                {%- set before.role = earlier['role'] -%}
            {%- endif -%}
        {%- endfor -%}
        {%- if not (role == 'model' and before.role == 'assistant') -%}
            {{- '<|turn>' + role + '\\n' -}}
        {%- endif -%}
        {%- set thought = message.get('reasoning') or message.get('reasoning_content') -%}
        {%- if thought and loop.index0 > state.user and message.get('tool_calls') -%}
            {{- '<|channel>thought\\n' + thought + '\\n<channel|>' -}}
        {%- endif -%}
        {%- for call in message['tool_calls'] or [] -%}
            {{- '<|tool_call>call:' + call['function']['name'] + '{' -}}
            {%- if call['function']['arguments'] is mapping -%}
                {%- for key, value in call['function']['arguments'] | dictsort -%}
                    {{- key + ':' + value_of(value, False) + (',' if not loop.last else '') -}}
                {%- endfor -%}
            {%- elif call['function']['arguments'] is string -%}
                {{- call['function']['arguments'] -}}
            {%- endif -%}
            {{- '}<tool_call|>' -}}
            {%- set state.last = 'tool_call' -%}
        {%- endfor -%}
        {%- set answered = namespace(any=false, open=true) -%}
        {%- if message.get('tool_responses') -%}
            {%- for response in message['tool_responses'] -%}
                {{- tool_answer(response['name'] | default('unknown'), response['response']) -}}
                {%- set answered.any = true -%}
                {%- set state.last = 'tool_response' -%}
            {%- endfor -%}
        {%- elif message.get('tool_calls') -%}
            {%- for follow in turns[loop.index0 + 1:] -%}
                {%- if follow['role'] != 'tool' -%}
                    {%- set answered.open = false -%}
                {%- elif answered.open -%}
                    {%- set called = namespace(name=follow.get('name') | default('unknown')) -%}
                    {%- for call in message['tool_calls'] -%}
                        {%- if call.get('id') == follow.get('tool_call_id') -%}
                            {%- set called.name = call['function']['name'] -%}
                        {%- endif -%}
                    {%- endfor -%}
                    {%- set body = follow.get('content') -%}
                    {%- if body is iterable and body is not string -%}
                        {%- set joined = namespace(text='') -%}
                        {%- for part in body -%}
                            {%- if part.get('type') == 'text' -%}
                                {%- set joined.text = joined.text + (part.get('text') | default('')) -%}
                            {%- endif -%}
                        {%- endfor -%}
                        {{- tool_answer(called.name, joined.text) -}}
                        {%- for part in body -%}
                            {{- placeholder(part) -}}
                        {%- endfor -%}
                    {%- else -%}
                        {{- tool_answer(called.name, body) -}}
                    {%- endif -%}
                    {%- set answered.any = true -%}
                    {%- set state.last = 'tool_response' -%}
                {%- endif -%}
            {%- endfor -%}
        {%- endif -%}
        {%- set content = namespace(text='') -%}
        {%- if message['content'] is string -%}
            {%- set content.text = without_thoughts(message['content']) if role == 'model' else message['content'] | trim -%}
        {%- elif message['content'] is iterable -%}
            {%- for part in message['content'] -%}
                {%- if part['type'] == 'text' -%}
                    {%- set text = without_thoughts(part['text']) if role == 'model' else part['text'] | trim -%}
                    {%- set content.text = content.text + text -%}
                {%- else -%}
                    {%- set content.text = content.text + placeholder(part) -%}
                    {%- set state.last = part['type'] -%}
                {%- endif -%}
            {%- endfor -%}
        {%- endif -%}
        {{- content.text -}}
        {%- if state.last == 'tool_call' and not answered.any -%}
            {{- '<|tool_response>' -}}
        {%- elif not (answered.any and not content.text | trim) -%}
            {{- '<turn|>\\n' -}}
        {%- endif -%}
    {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt and state.last not in ['tool_response', 'tool_call'] -%}
    {{- '<|turn>model\\n' -}}
{%- endif -%}
"""


def record_gemma4(reference, inputs, entry, eos, traced) -> dict[str, torch.Tensor]:
    """Per-layer inputs, the shared keys and values, and the vision layers without padding patches."""
    text, taps = text_model(reference.model), Taps()
    for index, layer in enumerate(text.layers):
        taps.on_input(layer, lambda args, kwargs, index=index: taps.seen.__setitem__(index, args[1].detach()[0]))
    taps.on_input(text, lambda args, kwargs: taps.seen.__setitem__("tokens", kwargs["per_layer_inputs"].detach()[0]))
    taps.output(reference.model.model.vision_tower.patch_embedder, "patches")
    result = taps.run(reference, inputs, return_shared_kv_states=True)
    inputs_of_layers = torch.stack([taps.seen[index] for index in range(len(text.layers))], 1)
    out = {"per_layer_tokens": taps.seen["tokens"], "per_layer_inputs": inputs_of_layers}
    for kind, (keys, values) in result.shared_kv_states.items():
        name = kind.removesuffix("_attention")
        out[f"shared.{name}.key"], out[f"shared.{name}.value"] = keys[0], values[0]
    rows, columns = entry["patch_grids"][0]
    out["vision_embed"] = taps.seen["patches"][:, : rows * columns]
    for key, value in traced.items():
        if re.fullmatch(r"vision\.\d+", key):
            out[key] = value[:, : rows * columns]
    return out


def calibrate_clips(model, draw) -> None:
    """Bounds of the clipped linears: they cut the outer tenth of what a random image gives, and all of them differ."""
    rng, used = draw.generator("clips"), set()

    def bound(buffer, value: float) -> None:
        while (rounded := torch.tensor(value, dtype=torch.bfloat16)).item() in used:
            value *= 1.01
        used.add(rounded.item())
        buffer.copy_(rounded)

    def clip(module, side: str, values: torch.Tensor) -> None:
        low, high = (float(share) for share in rng.uniform(0.04, 0.11, 2))
        ends = torch.quantile(values.flatten(), torch.tensor([low, 1 - high]))
        bound(getattr(module, f"{side}_min"), float(ends[0]))
        bound(getattr(module, f"{side}_max"), float(ends[1]))

    def on_linear(module, args, output):
        clip(module, "input", args[0])
        inner = module.linear(args[0].clamp(module.input_min, module.input_max))
        clip(module, "output", inner)
        return inner.clamp(module.output_min, module.output_max)

    tower = model.model.vision_tower
    config = model.config.vision_config
    rows, columns, side = 4 * config.pooling_kernel_size, 5 * config.pooling_kernel_size, config.patch_size
    # A smooth random image: neighbouring patches are alike.
    small = torch.from_numpy(rng.random((1, 3, 5, 6)))
    image = F.interpolate(small, size=(rows * side, columns * side), mode="bilinear")[0]
    patches = image.reshape(3, rows, side, columns, side).permute(1, 3, 2, 4, 0).reshape(1, rows * columns, -1)
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    positions = torch.stack([x, y], -1).reshape(1, -1, 2)
    kind = type(tower.encoder.layers[0].mlp.gate_proj)
    handles = [m.register_forward_hook(on_linear) for m in tower.modules() if isinstance(m, kind)]
    tower.eval()(pixel_values=patches, pixel_position_ids=positions)
    for handle in handles:
        handle.remove()
    # The audio tower is not run: any different bounds will do.
    rest = [
        (n, v) for n, v in model.state_dict(keep_vars=True).items() if "audio" in n and re.search(r"put_(min|max)$", n)
    ]
    for (name, buffer), size in zip(rest, spread(len(rest), 3.0, 9.0, rng), strict=True):
        bound(buffer, -size if name.endswith("min") else size)


def adjust_gemma4(model, draw) -> None:
    """Norms that give scores of size two without a scale, clips that bite, layer scalars, embeddings of size one."""
    text = model.config.get_text_config()
    for name, value in model.state_dict(keep_vars=True).items():
        shape, vision = value.shape, "vision" in name
        if name.endswith("language_model.embed_tokens.weight"):
            value.copy_(draw.scaled(name, 0.35))
        elif name.endswith("language_model.norm.weight"):
            value.copy_(draw(name, shape, 0.5, 3.5, signs=True))
        elif name.endswith("embed_tokens_per_layer.weight"):
            value.copy_(draw(name, shape, 1 / math.sqrt(text.hidden_size_per_layer_input)))
        elif name.endswith("per_layer_model_projection.weight"):
            value.copy_(draw(name, shape, 1.0))
        elif name.endswith("position_embedding_table"):
            value.copy_(draw(name, shape, 0.4))
        elif re.search(r"self_attn\.[qk]_norm\.weight$", name):
            mean = 1.0 if ("q_norm" in name) != vision else 1.7 / math.sqrt(shape[0])
            value.copy_(draw(name, shape, 0.2 * mean, mean))
        elif re.search(r"language_model.*post_(attention_layernorm|feedforward_layernorm|per_layer_input_norm)", name):
            value.copy_(draw(name, shape, 0.1, 0.45))  # a random residual network magnifies rounding errors otherwise
        elif name.endswith("per_dim_scale"):
            value.copy_(draw(name, shape, 0.5))
    calibrate_clips(model, draw)
    scalars = [value for name, value in model.state_dict(keep_vars=True).items() if name.endswith("layer_scalar")]
    for value, size in zip(scalars, spread(len(scalars), 0.68, 0.92, draw.generator("layer scalars")), strict=True):
        value.copy_(torch.tensor([size], dtype=torch.bfloat16))


def gemma4_shared(model, draw) -> dict[str, torch.Tensor]:
    """Key and value weights of the layers that share them: in E2B's published file, but never used."""
    text = model.config.get_text_config()
    out = {}
    for index in range(text.num_hidden_layers - text.num_kv_shared_layers, text.num_hidden_layers):
        layer = text.per_layer_config[index]
        size, rows = layer.head_dim, layer.num_key_value_heads * layer.head_dim
        for part, shape in (
            ("k_proj", (rows, text.hidden_size)),
            ("v_proj", (rows, text.hidden_size)),
            ("k_norm", (size,)),
        ):
            name = f"model.language_model.layers.{index}.self_attn.{part}.weight"
            out[name] = draw(name, shape, 0.5)
    return out


GEMMA4_NOISE = {
    "_name_or_path": "", "architectures": None, "chunk_size_feed_forward": 0, "is_encoder_decoder": False,
    "output_attentions": False, "output_hidden_states": False, "problem_type": None, "return_dict": True,
}  # fmt: skip


def gemma4(variant: int) -> Checkpoint:
    """Gemma 4 E2B/E4B: per-layer embeddings, key-value sharing, two head sizes, axial ViT with pooling to a token budget."""
    first = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "[multimodal]", "<unused0>", "<|tool>", "<tool|>",
             "<|tool_call>", "<tool_call|>", "<|tool_response>", "<tool_response|>", '<|"|>', "<|think|>", "<|channel>",
             "<channel|>", "<|turn>", "<turn|>"]  # fmt: skip
    last = ["<|image>", "<|audio>", "<|image|>", "<|audio|>", "<image|>", "<audio|>", "<|video|>"]
    tokenizer = byte_fallback([250, 290][variant], first, last, "<bos>", "<unk>", False,
                              plain=("<mask>", "[multimodal]", "<unused0>"))  # fmt: skip
    # Published with add_bos_token false: the chat template writes the bos.
    tokenizer.post_processor = processors.TemplateProcessing(single="$A", pair="$A $B:1", special_tokens=[])
    ids = tokenizer.token_to_id
    words = [dict(h=64, heads=4, kv=1, hd=16, wide=32, ff=96, layers=10, every=5, shared=5, ple=8, window=16,
                  double=True, theta=1000000.0, local=10000.0, partial=0.25, cap=30.0, eps=1e-6),
             dict(h=96, heads=4, kv=2, hd=24, wide=40, ff=136, layers=9, every=3, shared=3, ple=16, window=24,
                  double=False, theta=300000.0, local=20000.0, partial=0.4, cap=20.0, eps=1e-5)][variant]  # fmt: skip
    vision = [
        dict(h=48, heads=3, hd=16, ff=112, layers=2, patch=8, pool=3, tokens=70, positions=96, theta=100.0),
        dict(h=64, heads=2, hd=32, ff=88, layers=3, patch=10, pool=2, tokens=70, positions=72, theta=60.0),
    ][variant]
    audio = [
        dict(h=32, layers=1, heads=2, channels=[8, 4], out=24),
        dict(h=24, layers=2, heads=3, channels=[8, 6], out=40),
    ][variant]
    kinds = ["sliding_attention" if (i + 1) % words["every"] else "full_attention" for i in range(words["layers"])]
    vocab = pad_to(tokenizer.get_vocab_size())
    config = {
        "architectures": ["Gemma4ForConditionalGeneration"],
        "audio_config": {
            **GEMMA4_NOISE, "attention_chunk_size": 12, "attention_context_left": 13, "attention_context_right": 0,
            "attention_invalid_logits_value": -1000000000.0, "attention_logit_cap": 50.0, "conv_kernel_size": 5,
            "dtype": "bfloat16", "gradient_clipping": 10000000000.0, "hidden_act": "silu", "hidden_size": audio["h"],
            "initializer_range": 0.02, "model_type": "gemma4_audio", "num_attention_heads": audio["heads"],
            "num_hidden_layers": audio["layers"], "output_proj_dims": audio["out"], "residual_weight": 0.5,
            "rms_norm_eps": 1e-6, "subsampling_conv_channels": audio["channels"], "use_clipped_linears": True,
        },
        "audio_token_id": ids("<|audio|>"), "boa_token_id": ids("<|audio>"), "boi_token_id": ids("<|image>"),
        "dtype": "bfloat16", "eoa_token_id": ids("<audio|>"), "eoa_token_index": ids("<audio|>"),
        "eoi_token_id": ids("<image|>"), "eos_token_id": [1, ids("<turn|>")], "image_token_id": ids("<|image|>"),
        "initializer_range": 0.02, "model_type": "gemma4",
        "text_config": {
            "attention_bias": False, "attention_dropout": 0.0, "attention_k_eq_v": False, "bos_token_id": 2,
            "dtype": "bfloat16", "enable_moe_block": False, "eos_token_id": 1, "expert_intermediate_size": None,
            "final_logit_softcapping": words["cap"], "global_head_dim": words["wide"], "head_dim": words["hd"],
            "hidden_activation": "gelu_pytorch_tanh", "hidden_size": words["h"],
            "hidden_size_per_layer_input": words["ple"], "initializer_range": 0.02, "intermediate_size": words["ff"],
            "layer_types": kinds, "max_position_embeddings": 131072, "model_type": "gemma4_text",
            "moe_intermediate_size": None, "num_attention_heads": words["heads"], "num_experts": None,
            "num_global_key_value_heads": None, "num_hidden_layers": words["layers"],
            "num_key_value_heads": words["kv"], "num_kv_shared_layers": words["shared"], "pad_token_id": 0,
            "rms_norm_eps": words["eps"],
            "rope_parameters": {
                "full_attention": {"partial_rotary_factor": words["partial"], "rope_theta": words["theta"],
                                   "rope_type": "proportional"},
                "sliding_attention": {"rope_theta": words["local"], "rope_type": "default"},
            },
            "sliding_window": words["window"], "tie_word_embeddings": True, "top_k_experts": None,
            "use_bidirectional_attention": None, "use_cache": True, "use_double_wide_mlp": words["double"],
            "vocab_size": vocab, "vocab_size_per_layer_input": vocab,
        },
        "tie_word_embeddings": True, "transformers_version": "5.5.0.dev0", "video_token_id": ids("<|video|>"),
        "vision_config": {
            **GEMMA4_NOISE, "attention_bias": False, "attention_dropout": 0.0, "default_output_length": vision["tokens"],
            "dtype": "bfloat16", "global_head_dim": vision["hd"], "head_dim": vision["hd"],
            "hidden_activation": "gelu_pytorch_tanh", "hidden_size": vision["h"], "initializer_range": 0.02,
            "intermediate_size": vision["ff"], "max_position_embeddings": 131072, "model_type": "gemma4_vision",
            "num_attention_heads": vision["heads"], "num_hidden_layers": vision["layers"],
            "num_key_value_heads": vision["heads"], "patch_size": vision["patch"],
            "pooling_kernel_size": vision["pool"], "position_embedding_size": vision["positions"],
            "rms_norm_eps": 1e-6, "rope_parameters": {"rope_theta": vision["theta"], "rope_type": "default"},
            "standardize": False, "use_clipped_linears": True,
        },
        "vision_soft_tokens_per_image": vision["tokens"],
    }  # fmt: skip
    scale = {"do_convert_rgb": True, "do_rescale": True, "do_resize": True, "image_mean": [0.0, 0.0, 0.0],
             "image_std": [1.0, 1.0, 1.0], "patch_size": vision["patch"], "pooling_kernel_size": vision["pool"],
             "resample": 3, "rescale_factor": RESCALE}  # fmt: skip
    processor = {
        "audio_ms_per_token": 40, "audio_seq_length": 750,
        "feature_extractor": {
            "dither": 0.0, "feature_extractor_type": "Gemma4AudioFeatureExtractor", "feature_size": 128,
            "fft_length": 512, "fft_overdrive": False, "frame_length": 320, "hop_length": 160,
            "input_scale_factor": 1.0, "max_frequency": 8000.0, "mel_floor": 0.001, "min_frequency": 0.0,
            "padding_side": "right", "padding_value": 0.0, "per_bin_mean": None, "per_bin_stddev": None,
            "preemphasis": 0.0, "preemphasis_htk_flavor": True, "return_attention_mask": True, "sampling_rate": 16000,
        },
        "image_processor": {**scale, "do_normalize": False, "image_processor_type": "Gemma4ImageProcessor",
                            "image_seq_length": vision["tokens"], "max_soft_tokens": vision["tokens"]},
        "image_seq_length": vision["tokens"], "processor_class": "Gemma4Processor",
        "video_processor": {**scale, "do_normalize": True, "do_sample_frames": True, "max_soft_tokens": 70,
                            "num_frames": 32, "return_metadata": False, "video_processor_type": "Gemma4VideoProcessor"},
    }  # fmt: skip
    names = {
        "audio_token": "<|audio|>", "boa_token": "<|audio>", "boi_token": "<|image>", "eoa_token": "<audio|>",
        "eoc_token": "<channel|>", "eoi_token": "<image|>", "eot_token": "<turn|>", "escape_token": '<|"|>',
        "etc_token": "<tool_call|>", "etd_token": "<tool|>", "etr_token": "<tool_response|>",
        "image_token": "<|image|>", "soc_token": "<|channel>", "sot_token": "<|turn>", "stc_token": "<|tool_call>",
        "std_token": "<|tool>", "str_token": "<|tool_response>", "think_token": "<|think|>",
    }  # fmt: skip
    tokenizer_config = {
        **names, "add_bos_token": False, "backend": "tokenizers", "bos_token": "<bos>", "eos_token": "<eos>",
        "extra_special_tokens": ["<|video|>"], "mask_token": "<mask>",
        "model_max_length": 1000000000000000019884624838656, "model_specific_special_tokens": names,
        "pad_token": "<pad>", "padding_side": "left", "processor_class": "Gemma4Processor",
        "tokenizer_class": "GemmaTokenizer", "unk_token": "<unk>",
    }  # fmt: skip
    stops = [1, ids("<turn|>"), ids("<|tool_response>")]
    return DeltaRuleCheckpoint(
        config, tokenizer, tokenizer_config, {}, GEMMA4_TEMPLATE,
        {"transformers_version": "5.5.0.dev0", "bos_token_id": 2, "do_sample": True, "eos_token_id": stops,
         "pad_token_id": 0, "temperature": 1.0, "top_k": 64, "top_p": 0.95},
        {"processor_config.json": processor}, [ids("<turn|>"), 1, ids("<|tool_response>")], "<|image|>",
        seed=2, more_cases=LONG_CASES, more_picked=["long"], adjust=adjust_gemma4, eos_factor=1.5,
        extra_tensors=None if variant else gemma4_shared, record=record_gemma4, template_cases=render_templates,
    )  # fmt: skip
