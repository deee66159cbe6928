"""Builds one family folder: its files, its weights, its recorded cases."""

import json
import re
import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForImageTextToText, AutoProcessor

from cases import answer, run_case
from checkpoint import Checkpoint, special_ids
from conversations import plan
from draws import Drawer, stream_of
from files import read_weights, write_cases, write_json, write_manifest, write_recipe
from packing import pack
from reference import Reference, classes, computing, stored_tensors, text_model
from taps import EXACT, image_rows, trace
from tiny_tokenizers import added_tokens_decoder
from verify import verify
from weights import randomize


class UnclearError(Exception):
    """A seed gives no greedy paths that every correct implementation must follow."""


def hub_name(name: str, rename) -> str:
    """The tensor's name in the family's published checkpoints."""
    for pattern, replacement in rename:
        if re.search(pattern, name):
            return re.sub(pattern, replacement, name, count=1)
    return name


def write_files(folder: Path, checkpoint: Checkpoint) -> None:
    """Writes config, tokenizer, template and processor files."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "config.json", checkpoint.config)
    checkpoint.generation.setdefault("transformers_version", "4.57.1")
    write_json(folder / "generation_config.json", checkpoint.generation)
    checkpoint.tokenizer.save(str(folder / "tokenizer.json"))
    decoder = {"added_tokens_decoder": added_tokens_decoder(checkpoint.tokenizer)}
    write_json(folder / "tokenizer_config.json", {**decoder, **checkpoint.tokenizer_config})
    if checkpoint.special_tokens_map:
        write_json(folder / "special_tokens_map.json", checkpoint.special_tokens_map)
    if checkpoint.template_file.endswith(".json"):
        write_json(folder / checkpoint.template_file, {"chat_template": checkpoint.template})
    else:
        (folder / checkpoint.template_file).write_text(checkpoint.template, encoding="utf-8")
    for name, content in checkpoint.processor_files.items():
        write_json(folder / name, content)


def write_weights(folder: Path, checkpoint: Checkpoint, draw: Drawer):
    """Draws the weights and writes them. Returns the model."""
    with computing(torch.float64):
        model = build(folder, checkpoint)
        vocab = model.get_input_embeddings().weight.shape[0]
        rows = {i: 0.01 for i in range(checkpoint.tokenizer.get_vocab_size(), vocab)}
        rows.update({i: 0.4 for i in special_ids(checkpoint.tokenizer) if i < vocab})
        rows.update({i: checkpoint.eos_factor for i in checkpoint.eos[:1]})
        randomize(model, draw, checkpoint.plus_one_norms, rows, checkpoint.head_gain, checkpoint.embed_std)
        if checkpoint.adjust:
            checkpoint.adjust(model, draw)
    tied = {name for name, _ in model.named_parameters(remove_duplicate=False)} - {
        n for n, _ in model.named_parameters()
    }
    state = {}
    for name, value in model.state_dict().items():
        if name in tied:
            continue
        stored = hub_name(name, checkpoint.rename)
        if value.dtype.is_floating_point:
            value = value.to(torch.float32 if re.search(checkpoint.float32, stored) else torch.bfloat16)
        state[stored] = value.contiguous()
    if checkpoint.extra_tensors:
        state.update(checkpoint.extra_tensors(model, draw))
    save_file(state, str(folder / (checkpoint.shard or "model.safetensors")), metadata={"format": "pt"})
    if checkpoint.shard:
        total = sum(value.numel() * value.element_size() for value in state.values())
        index = {"metadata": {"total_size": total}, "weight_map": {name: checkpoint.shard for name in sorted(state)}}
        write_json(folder / "model.safetensors.index.json", index)
    return model


def build(folder: Path, checkpoint: Checkpoint):
    """The model that the folder's config asks for, with a head of its own where the checkpoint stores one."""
    config_class, model_class, _ = classes(folder)
    from_config = getattr(model_class, "from_config", None) or model_class._from_config
    model = from_config(config_class.from_pretrained(folder), dtype=torch.float64)
    if checkpoint.separate_head:
        untie(model)
    return model


def untie(model) -> None:
    model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach().clone())


def save_again(folder: Path, checkpoint: Checkpoint) -> None:
    """Replaces the folder's files by those that transformers writes after loading them."""
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.bfloat16)
    processor = AutoProcessor.from_pretrained(folder)
    shutil.rmtree(folder)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    write_json(folder / "config.json", {**config, "architectures": checkpoint.config["architectures"]})
    generation = json.loads((folder / "generation_config.json").read_text())
    write_json(folder / "generation_config.json", generation)


def write_newer_layout(folder: Path, reference: Reference, checkpoint: Checkpoint) -> None:
    """Writes newer/: config.json as transformers 5 saves it, and names.json with the tensors' names there.

    names.json maps each hub name to [name in the file that transformers 5 saves, name of the module parameter].
    The new config is checked to build the same model.
    """
    newer = folder / "newer"
    newer.mkdir()
    config_class, model_class, _ = classes(folder)
    with tempfile.TemporaryDirectory() as scratch:
        model = model_class.from_pretrained(folder, config=config_class.from_pretrained(folder), dtype=torch.bfloat16)
        model.save_pretrained(scratch)
        saved = load_file(str(Path(scratch) / "model.safetensors"))
        saved = {k: v for k, v in saved.items() if v.is_floating_point()}
        config = json.loads((Path(scratch) / "config.json").read_text())
    if config["model_type"] == checkpoint.config["model_type"]:
        config["architectures"] = checkpoint.config["architectures"]
    write_json(newer / "config.json", config)
    names = newer_names(folder, model, saved, checkpoint)
    write_cases(newer / "names.json", names)
    if checkpoint.other_names:
        (folder / "apple").mkdir()
        write_json(folder / "apple" / "names.json", {name: checkpoint.other_names(name) for name in sorted(names)})
    check_newer_config(newer, reference, checkpoint)


def newer_names(folder: Path, model, saved: dict, checkpoint: Checkpoint) -> dict[str, list[str]]:
    def content(tensor):
        return tuple(tensor.shape), tensor.to(torch.bfloat16).contiguous().view(torch.int16).numpy().tobytes()

    by_content = {content(value): name for name, value in saved.items()}
    stored = set(read_weights(folder)[1])
    names = {}
    for name, value in stored_tensors(model):
        key = content(value.detach())
        hub = by_content[key] if checkpoint.resave else hub_name(name, checkpoint.rename)
        if hub not in stored:
            raise ValueError(f"{folder.name}: {hub} is not in the file")
        same = name in saved and content(saved[name]) == key
        names[hub] = [name if same else by_content[key], name]
    if len({pair[0] for pair in names.values()}) != len(names):
        raise ValueError(f"{folder.name}: two tensors have the same content")
    return {**names, **{name: [name, name] for name in sorted(stored - set(names))}}  # what no module reads


def check_newer_config(newer: Path, reference: Reference, checkpoint: Checkpoint) -> None:
    ids = torch.tensor([[5, 9, 11, 30, 7, 12, 64, 33, 90, 2, 41, 18, 77, 25, 6, 101, 55, 14, 32, 70]])
    with reference.computing():
        rebuilt = AutoModelForImageTextToText.from_config(
            AutoConfig.from_pretrained(newer), dtype=reference.dtype, attn_implementation="eager"
        ).eval()
        if checkpoint.separate_head:
            untie(rebuilt)
        rebuilt.load_state_dict(reference.model.state_dict())
        if reference.logits_scaling:
            rebuilt.lm_head.register_forward_hook(lambda module, args, output: output / reference.logits_scaling)
        if not torch.equal(rebuilt(input_ids=ids).logits, reference.model(input_ids=ids).logits):
            raise ValueError(f"{newer.parent.name}: newer/config.json builds another model")


def check_reload(reference: Reference, model) -> None:
    """The folder must load to exactly the rounded weights that were drawn."""
    loaded = dict(stored_tensors(reference.model))
    for name, value in stored_tensors(model):
        if not torch.equal(loaded[name], value):
            raise ValueError(f"{name} changed on reload")


def record_cases(reference: Reference, checkpoint: Checkpoint, seed: int, variant: int):
    """Returns (entries of cases.json, recorded tensors by `<case>.<name>`)."""
    vocab = reference.model.get_input_embeddings().weight.shape[0]
    specials = {*special_ids(checkpoint.tokenizer), *range(checkpoint.tokenizer.get_vocab_size(), vocab)}
    rng = np.random.default_rng(stream_of(seed, f"{reference.folder.name} conversations"))
    picked = ["image"] if checkpoint.brief else ["image", "large" if checkpoint.tiled else "two_images"]
    cases, tensors = [], {}
    planned = [*plan(checkpoint), *((name, builder) for name, (builder, _) in checkpoint.more_cases.items())]
    for index, (name, builder) in enumerate(planned):
        steps = checkpoint.more_cases[name][1] if name in checkpoint.more_cases else (16, 25)
        result = run_case(
            reference, checkpoint, name, builder, rng, specials,
            attempts=160 if index == 0 or steps[1] > 25 else 40, stop=index == 0, variant=variant, steps=steps,
        )  # fmt: skip
        if result is None:
            raise UnclearError(f"no clear greedy path for case {name}")
        entry, inputs = result
        cases.append(entry)
        if name in [*picked, *checkpoint.more_picked]:
            traced = record_tensors(reference, checkpoint, entry, inputs)
            tensors.update({f"{name}.{key}": value for key, value in traced.items()})
    return cases, tensors


def record_tensors(reference: Reference, checkpoint: Checkpoint, entry: dict, inputs) -> dict[str, torch.Tensor]:
    traced = trace(reference, inputs)
    image_id = reference.processor.tokenizer.convert_tokens_to_ids(checkpoint.image_token)
    rows = image_rows(traced, inputs["input_ids"], image_id)
    if rows is not None:
        traced["image_embeds"] = rows
    scale = getattr(text_model(reference.model), "embedding_multiplier", None)
    if scale is not None and "embeds" in traced:
        traced["embeds"] = traced["embeds"] * scale
    if checkpoint.brief or entry["name"] != "image":
        layers = [key for key in traced if key.startswith("hidden.")]
        bulky = [key for key in traced if key.startswith(("vision", "pixel_", "connector_in", "embeds"))]
        for key in layers[:-1] + bulky:
            traced.pop(key)
    if entry["name"] == "image":
        _, _, traced["step_logits"] = reference.generate(inputs, entry["max_tokens"], checkpoint.eos)
        if checkpoint.record:
            traced.update(checkpoint.record(reference, inputs, entry, checkpoint.eos, traced))
    return traced


def write_packed(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    exact = {key for key in tensors if key.split(".", 1)[1] in EXACT}
    path.write_bytes(pack({key: value.detach().double().numpy() for key, value in sorted(tensors.items())}, exact))


def record_with_settings(reference: Reference, checkpoint: Checkpoint, cases: list[dict]) -> None:
    """Writes cases-fine.json and expected-fine.packed: the image case again with other processor settings."""
    case = next(case for case in cases if case["name"] == "image")
    inputs, prompt, _ = reference.inputs(case["messages"], **checkpoint.extra_kwargs)
    traced = trace(reference, inputs)
    image_id = reference.processor.tokenizer.convert_tokens_to_ids(checkpoint.image_token)
    traced["image_embeds"] = image_rows(traced, inputs["input_ids"], image_id)
    kept = {k: v for k, v in traced.items() if k.startswith(("image_embeds", "deepstack", "hidden", "logits"))}
    ids, margins, kept["step_logits"] = reference.generate(inputs, case["max_tokens"], checkpoint.eos)
    entry = {
        **{key: case[key] for key in ("messages", "rows_cols", "add_special_tokens") if key in case},
        "name": "fine", "processor_kwargs": checkpoint.extra_kwargs, "prompt": prompt,
        "input_ids": inputs["input_ids"][0].tolist(), "pixel_values_shape": list(inputs["pixel_values"].shape),
        **answer(reference, checkpoint, inputs, prompt, case["max_tokens"], ids, margins),
    }  # fmt: skip
    write_cases(reference.folder / "cases-fine.json", [entry])
    write_packed(reference.folder / "expected-fine.packed", {f"fine.{key}": value for key, value in kept.items()})


def make_folder(folder: Path, root: Path, checkpoint: Checkpoint, seed: int | None, variant: int) -> dict:
    """Makes a family folder, with its weight file.

    Args:
        folder: is created; its name takes part in the seeds.
        root: holds images/.
        seed: in place of the checkpoint's own.

    Returns: what `verify` measured.
    """
    seed = checkpoint.seed if seed is None else seed
    draw = Drawer(stream_of(seed, folder.name))
    write_files(folder, checkpoint)
    model = write_weights(folder, checkpoint, draw)
    if checkpoint.resave:
        save_again(folder, checkpoint)
    reference = Reference(folder, root)
    check_reload(reference, model)
    write_newer_layout(folder, reference, checkpoint)
    cases, tensors = record_cases(reference, checkpoint, seed, variant)
    write_cases(folder / "cases.json", cases)
    if checkpoint.template_cases:
        write_cases(folder / "template_cases.json", checkpoint.template_cases(reference))
    write_packed(folder / "expected.packed", tensors)
    if checkpoint.extra_kwargs:
        record_with_settings(reference, checkpoint, cases)
    write_recipe(folder, draw)
    write_manifest(folder)
    return verify(folder, root, checkpoint, cases, tensors)
