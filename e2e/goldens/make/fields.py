"""Records what the reference does when any one field of a golden folder's settings is changed or left out.

    python e2e/goldens/make/fields.py [FAMILY ...] [--file NAME]

Reads the unpacked folders (`.cache/goldens`, made by the tests) and writes e2e/goldens/fields.json. The fields are

- of config.json: those that transformers reads while it answers, those that the source of the modules in use names, and
  those that the config classes declare;
- of the image processor's file, processor_config.json, tokenizer_config.json and generation_config.json: those of the
  classes, and those in the file.

A row is [field, value, outcome], or [field, outcome] for a field that is left out. The outcome is "same" (prompt, answer,
text, logits and probabilities), "refuses" (an error, or needed weights that no file has), or {"ids": answer}, which has
the prompt's ids, too, where they differ from the folder's own.
"""

import argparse
import ast
import inspect
import json
import sys
from collections import defaultdict
from pathlib import Path

import torch
from transformers import AutoModelForImageTextToText, AutoProcessor, GenerationConfig
from transformers.configuration_utils import PreTrainedConfig

from changes import GOLDENS, MAX_TOKENS, UNPACKED, change, copied, image_case, inputs_of, quiet

TABLE = GOLDENS / "fields.json"
FAMILIES = ("smolvlm", "qwen2_vl", "qwen2_5_vl", "qwen3_vl", "llava_onevision", "llava", "internvl", "lfm2_vl",
            "gemma3", "paligemma", "paligemma2", "mllama")  # fmt: skip

# Families whose generation_config.json is looked at: one that is greedy, and one that samples and has several end tokens.
GENERATION = ("smolvlm", "mllama")

# Names of objects and files of Python, of several devices, of other tasks' heads; what a caller gets back.
NOT_SETTINGS = {
    "_name_or_path", "architectures", "auto_map", "base_model_ep_plan", "base_model_fsdp_plan", "base_model_pp_plan",
    "base_model_tp_plan", "default_rope_type", "default_theta", "id2label", "ignore_keys_at_rope_validation",
    "is_heterogeneous", "label2id", "model_name", "model_type", "problem_type", "quantization_config", "sub_configs",
    "transformers_version", "data_format", "input_data_format", "return_tensors", "device", "disable_grouping",
    "image_processor_type", "processor_class", "auto_processor_class", "compile_config", "return_dict_in_generate",
    "_from_model_config", "chat_template", "tokenizer_class", "video_sampling", "name_or_path", "return_dict",
    "output_attentions", "output_hidden_states", "output_scores", "output_logits",
}  # fmt: skip

ROPES = [
    {"rope_type": "linear", "factor": 2.0},
    {"rope_type": "dynamic", "factor": 2.0},
    {"rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 32},
    {"rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 32, "attention_factor": 0.5},
    {"rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 32, "beta_fast": 4, "beta_slow": 2},
    {"rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 32, "mscale": 2.0, "mscale_all_dim": 1.0},
    {"rope_type": "llama3", "factor": 2.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
     "original_max_position_embeddings": 32},
    {"rope_type": "longrope", "factor": 2.0, "short_factor": [1.0] * 32, "long_factor": [2.0] * 32,
     "original_max_position_embeddings": 32},
    {"rope_type": "proportional", "partial_rotary_factor": 0.5},
]  # fmt: skip

# generation_config.json is looked at in a folder that samples.
SAMPLED = {"do_sample": True, "top_k": 0}

# Values of fields whose type does not give one, or whose generic one would change nothing.
VALUES = {
    "hidden_act": "relu", "hidden_activation": "relu", "projector_hidden_act": "relu", "norm_type": "rms_norm",
    "attention_chunk_size": 8, "sliding_window": 8, "max_window_layers": 1, "attention_bias": True, "mlp_bias": True,
    "final_logit_softcapping": 0.5, "attn_logit_softcapping": 0.5, "rms_norm_eps": 0.05, "layer_norm_eps": 0.05,
    "norm_eps": 0.05, "query_pre_attn_scalar": 16, "pad_token_id": 5, "bos_token_id": 5, "eos_token_id": 5,
    "max_position_embeddings": 100000, "partial_rotary_factor": 0.5, "rope_theta": 77.0, "is_causal": False,
    "head_dim": 32, "per_layer_config": {"0": {"sliding_window": 8}}, "kv_sharing_modes": ["none"],
    "vision_feature_layer": [-1, -2], "dtype": "float16", "num_attention_heads": 4, "num_heads": 4,
    "vision_aspect_ratio": "anyres_max_1", "use_bidirectional_attention": True, "rope_parameters": ROPES,
    "crop_size": {"height": 28, "width": 28}, "pad_size": {"height": 300, "width": 300}, "do_center_crop": True,
    "image_seq_length": 3, "image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6], "resample": 0,
    "rescale_factor": 0.01, "min_pixels": 50000, "max_pixels": 4000, "do_pad": False, "default_to_square": False,
    "pan_and_scan_min_crop_size": 20, "pan_and_scan_max_num_crops": 2, "pan_and_scan_min_ratio_to_activate": 1.0,
    "do_pan_and_scan": True, "num_image_tokens": 3, "image_grid_pinpoints": [[56, 56], [56, 112]],
    "image_tokens": 3, "image_token": "<other>", "fullatt_block_indexes": [0, 1], "layer_types": None,
    "intermediate_layers_indices": [0, 1], "deepstack_visual_indexes": [1, 0], "cross_attention_layers": [0, 3],
    "add_bos_token": False, "add_eos_token": True, "add_prefix_space": True, "padding_side": "right",
    "truncation_side": "right", "model_max_length": 10, "clean_up_tokenization_spaces": True, "legacy": True,
    "split_special_tokens": True, "errors": "strict", "use_default_system_prompt": True, "sp_model_kwargs": {"a": 1},
    "spaces_between_special_tokens": True, "model_input_names": ["input_ids"], "bos_token": "a", "eos_token": "a",
    "unk_token": "a", "pad_token": "a", "extra_special_tokens": ["a"], "additional_special_tokens": ["a"],
    "model_specific_special_tokens": {"a_token": "a"}, "image_seq_len": 3, "image_token_index": 5,
    "temperature": 0.5, "top_k": 3, "top_p": 0.5, "min_p": 0.2, "top_h": 0.3, "typical_p": 0.5, "epsilon_cutoff": 0.002,
    "eta_cutoff": 0.002, "repetition_penalty": 2.0, "encoder_repetition_penalty": 2.0, "length_penalty": 2.0,
    "no_repeat_ngram_size": 1, "encoder_no_repeat_ngram_size": 1, "bad_words_ids": "CHOSEN", "renormalize_logits": True,
    "forced_bos_token_id": 5, "forced_eos_token_id": 5, "remove_invalid_values": True, "suppress_tokens": "CHOSEN",
    "begin_suppress_tokens": "CHOSEN", "exponential_decay_length_penalty": [0, 1.1], "sequence_bias": [[[5], 40.0]],
    "token_healing": False, "guidance_scale": 2.0, "watermarking_config": {"bias": 5.0}, "num_return_sequences": 2,
    "num_beams": 2, "max_length": 60, "max_new_tokens": 3, "min_length": 60, "min_new_tokens": 3, "stop_strings": ["a"],
    "early_stopping": True, "max_time": 100.0, "penalty_alpha": 0.5, "num_beam_groups": 2, "diversity_penalty": 0.5,
    "dola_layers": "low", "constraints": [5], "force_words_ids": [[5]], "low_memory": True, "use_cache": False,
    "cache_implementation": "static", "cache_config": {"a": 1}, "return_legacy_cache": True, "prefill_chunk_size": 8,
    "prompt_lookup_num_tokens": 2, "forced_decoder_ids": [[1, 5]], "decoder_start_token_id": 5, "is_assistant": True,
    "num_assistant_tokens": 3, "assistant_early_exit": 1, "disable_compile": True, "continuous_batching_config": None,
    "transformers_weights": None,
}  # fmt: skip

TOKENIZER_FIELDS = (
    "bos_token", "eos_token", "unk_token", "pad_token", "add_bos_token", "add_eos_token", "add_prefix_space", "legacy",
    "clean_up_tokenization_spaces", "split_special_tokens", "spaces_between_special_tokens", "padding_side",
    "truncation_side", "model_max_length", "extra_special_tokens", "additional_special_tokens", "model_input_names",
    "use_default_system_prompt", "errors", "sp_model_kwargs", "image_token",
)  # fmt: skip


def changed_value(name, default):
    """Another value than the default, or None where there is none to try."""
    if name in VALUES:
        value = VALUES[name]
        if isinstance(value, bool) and value == default:
            return not value
        return value
    if isinstance(default, bool):
        return not default
    if isinstance(default, int):
        return default + 1
    if isinstance(default, float):
        return default * 2 or 0.1
    if isinstance(default, str):
        return default + "x"
    if isinstance(default, (list, tuple)) and default:
        return [changed_value("", item) for item in default]
    if isinstance(default, dict) and default:
        return {key: changed_value(key, value) for key, value in default.items()}
    return None


def fields_of_source(path):
    """The names of `config.NAME` and `getattr(config, "NAME")` in a file."""
    def is_config(node):
        name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
        return name.endswith("config")

    for node in ast.walk(ast.parse(Path(path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and is_config(node.value):
            yield node.attr
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "getattr" and is_config(node.args[0]):
            if isinstance(node.args[1], ast.Constant):
                yield node.args[1].value


class Reads:
    """The fields of config objects that are read, by class, apart from what configs read of themselves."""

    def __enter__(self):
        self.original = PreTrainedConfig.__getattribute__
        names = defaultdict(set)

        def read(config, name):
            caller = sys._getframe(1).f_code.co_filename
            if "transformers" in caller and "configuration_" not in caller:
                names[type(config)].add(name)
            return self.original(config, name)

        PreTrainedConfig.__getattribute__ = read
        return names

    def __exit__(self, *_):
        PreTrainedConfig.__getattribute__ = self.original


def config_fields(model, names, file):
    """Yields the path and the default of each field of config.json."""
    configs, sources = {}, defaultdict(set)
    for module in model.modules():
        config = getattr(module, "config", None)
        if isinstance(config, PreTrainedConfig):
            configs.setdefault(type(config), config)
            sources[type(config)].add(inspect.getsourcefile(type(module)))
    root = type(model.config)
    for kind, config in configs.items():
        declared = config.to_dict()
        fields = set(declared) | names[kind]
        for source in sources[kind]:
            fields |= {name for name in fields_of_source(source) if hasattr(config, name)}
        prefix = ""
        for part in ("text_config", "vision_config"):
            if kind is not root and type(getattr(model.config, part, None)) is kind and part in file:
                prefix = f"{part}."
        for name in sorted(fields - NOT_SETTINGS):
            value = config.__dict__.get(name, getattr(config, name, None))
            if name == "rope_parameters" and name not in declared:
                continue
            if name.startswith("_") or callable(value) or isinstance(value, PreTrainedConfig) or name.endswith("_config"):
                continue
            yield prefix + name, value


def simple(value):
    return value is None or isinstance(value, (bool, int, float, str, list, tuple, dict))


def class_fields(made, kwargs):
    """The fields of an image processor or a processor."""
    for name in sorted(set(kwargs) - NOT_SETTINGS - {"kwargs", "self", "image_processor", "tokenizer", "video_processor"}):
        value = getattr(made, name, None)
        if hasattr(value, "items"):
            value = {key: part for key, part in dict(value).items() if part is not None}
        if value is None or simple(value):
            yield name, value


def image_fields(image_processor):
    kwargs = {*image_processor.to_dict(), *type(image_processor).valid_kwargs.__annotations__}
    return class_fields(image_processor, kwargs)


def present(part, prefix=""):
    """The paths of a file's fields."""
    for name, value in part.items():
        if name in NOT_SETTINGS or name in ("added_tokens_decoder", "text_config", "vision_config", "image_processor"):
            if name in ("text_config", "vision_config", "image_processor"):
                yield from present(value, f"{prefix}{name}.")
            continue
        yield prefix + name


def answer(folder, case, file, seed=0):
    """Prompt, answer, its text and logits; probabilities where the file is generation_config.json."""
    torch.manual_seed(seed)
    model, info = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    if info["missing_keys"] and seed == 0:
        # Weights that no file has are drawn at random. Some of them are not used.
        made, other = answer(folder, case, file, 1), answer(folder, case, file, 2)
        if not alike(made, other):
            raise ValueError(f"no weights for {min(info['missing_keys'])}")
        return made
    processor = AutoProcessor.from_pretrained(folder)
    inputs = inputs_of(processor, case)
    greedy = {} if file == "generation_config.json" else {"do_sample": False}
    # A limit of the length is the caller's, except where the file's own is looked at.
    given = json.loads((folder / "generation_config.json").read_text())
    length = {} if "max_length" in given or "max_new_tokens" in given else {"max_new_tokens": MAX_TOKENS}
    with torch.no_grad():
        torch.manual_seed(0)
        made = model.eval().generate(
            **inputs, **greedy, **length, return_dict_in_generate=True, output_logits=True, output_scores=True
        )  # fmt: skip
    count = inputs["input_ids"].shape[1]
    ids = made.sequences[0, count:].tolist()
    return {
        "prompt": inputs["input_ids"][0].tolist(),
        "ids": ids,
        "text": processor.tokenizer.decode(ids, skip_special_tokens=True),
        "logits": torch.cat(made.logits),
        "probabilities": torch.cat(made.scores).softmax(-1) if not greedy else torch.zeros(1),
    }


def alike(made, other):
    if any(made[name] != other[name] for name in ("prompt", "ids", "text")):
        return False
    return all(torch.allclose(made[name], other[name], atol=1e-4) for name in ("logits", "probabilities"))


def outcome(folder, file, config, plain, case):
    path = folder / file
    before = path.read_text() if path.exists() else None
    path.write_text(json.dumps(config))
    try:
        made = answer(folder, case, file)
    except Exception as error:
        return "refuses", f"{type(error).__name__}: {error}"
    finally:
        path.write_text(before) if before is not None else path.unlink()
    if alike(made, plain):
        return "same", ""
    prompt = {} if made["prompt"] == plain["prompt"] else {"prompt": made["prompt"]}
    return {**prompt, "ids": made["ids"]}, ""


def record(family, only):
    case = image_case(family)
    source = UNPACKED / family
    with Reads() as names:
        answer(source, case, "")
    model = AutoModelForImageTextToText.from_pretrained(source, dtype=torch.float32)
    processor = AutoProcessor.from_pretrained(source)

    def read(file):
        path = source / file
        return json.loads(path.read_text()) if path.exists() else {}

    joined = read("processor_config.json")
    nested = "image_processor" in joined
    images = "processor_config.json" if nested else "preprocessor_config.json"
    plan = defaultdict(dict)
    plan["config.json"] = dict(config_fields(model, names, read("config.json")))
    plan[images] = {("image_processor." if nested else "") + name: value for name, value in image_fields(processor.image_processor)}
    plan["processor_config.json"].update(class_fields(processor, inspect.signature(type(processor).__init__).parameters))
    plan["tokenizer_config.json"] = {name: processor.tokenizer.init_kwargs.get(name) for name in TOKENIZER_FIELDS}
    if family in GENERATION:
        defaults = GenerationConfig().to_dict()
        plan["generation_config.json"] = {name: defaults.get(name) for name in sorted({*defaults, *read("generation_config.json")} - NOT_SETTINGS)}

    rows = defaultdict(list)
    with copied(source) as folder:
        for file, fields in plan.items():
            if only not in (None, file):
                continue
            base = {**read(file), **(SAMPLED if file == "generation_config.json" else {})}
            (folder / file).write_text(json.dumps(base))
            plain = answer(folder, case, file)
            attempts = []
            for field, default in fields.items():
                name = field.rpartition(".")[2]
                values = changed_value(name, default)
                if values == "CHOSEN":
                    values = [[plain["ids"][0]]] if name == "bad_words_ids" else [plain["ids"][0]]
                if file == "generation_config.json" and name == "eos_token_id":
                    values = plain["ids"][2]
                if name == "layer_types" and default is None:
                    values = None
                for value in values if name == "rope_parameters" else [values]:
                    if value is None:
                        continue
                    if name == "rope_parameters":
                        # Files of older versions have the other name.
                        field = field.replace("rope_parameters", "rope_scaling")
                        mrope = (default or {}).get("mrope_section")
                        value = {**value, **({"mrope_section": mrope} if mrope else {})}
                    attempts.append((field, value))
            attempts += [(field,) for field in present(base) if field not in SAMPLED]
            for field, *value in attempts:
                entry = {"set": {field: value[0]}} if value else {"remove": [field]}
                result, why = outcome(folder, file, change(base, entry), plain, case)
                rows[file].append([field, *value, result])
                print(family, file, field, *value, result, why[:100].replace("\n", " "), flush=True)
            if not read(file):
                (folder / file).unlink()
            else:
                (folder / file).write_text(json.dumps(read(file)))
    return rows


def main():
    table = json.loads(TABLE.read_text()) if TABLE.exists() else {}
    parser = argparse.ArgumentParser()
    parser.add_argument("families", nargs="*", default=FAMILIES)
    parser.add_argument("--file", help="the rows of this file alone")
    options = parser.parse_args()
    for family in options.families:
        table[family] = {**table.get(family, {}), **record(family, options.file)}
        parts = []
        for family, files in table.items():
            inner = ",\n".join(
                f'"{file}": [\n' + ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows) + "\n]"
                for file, rows in files.items()
            )
            parts.append(f'"{family}": {{\n{inner}\n}}')
        TABLE.write_text("{\n" + ",\n".join(parts) + "\n}\n")


if __name__ == "__main__":
    quiet()
    main()
