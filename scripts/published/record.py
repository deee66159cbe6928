"""Records what transformers makes of the repositories of README.md's table in their published layout.

    python scripts/published/record.py [NAME ...]

Needs the packages of e2e/goldens/make/requirements.txt, and node_modules for the vocabularies. Hubs are not asked: what is
public fact and what is assumed is said in repositories.py. Writes e2e/goldens/published-repositories.json, by repository:

- `golden`: the folder whose files it has, apart from `files`
- `vocabulary`: the package whose tokenizer.json it has; `added`: all of its added tokens; `more`: further ones
- `tensors`: [name with # for a number, shape, numbers] as transformers builds the model, under published names
- `expected`: context length, end tokens, image tokens for SIZES, and prompt and ids of one question. Repeated
  pieces of the prompt, and repeated ids, are [piece, count].
"""

import copy
import itertools
import json
import re
import sys
import tempfile
from pathlib import Path

import torch
from PIL import Image
from repositories import REPOSITORIES
from transformers import AutoConfig, AutoModelForImageTextToText, AutoProcessor, GenerationConfig
from transformers.utils import logging

ROOT = Path(__file__).resolve().parents[2]
GOLDENS = ROOT / "e2e/goldens"
sys.path.append(str(GOLDENS / "make"))

from reference import tokenized_text  # noqa: E402

OUTPUT = GOLDENS / "published-repositories.json"
SIZES = [[224, 224], [640, 480], [1024, 1024], [1920, 1080], [4000, 3000]]
QUESTION, SIZE = "What is in this image?", [640, 480]
KEPT_OUT = {"manifest.json", "weights.json", "cases.json", "expected.packed"}


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def merged(old, new):
    """`new` over `old`, key by key; {"=": value} replaces."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    if "=" in new:
        return new["="]
    return {**old, **{key: merged(old.get(key), value) for key, value in new.items()}}


def own_files(spec):
    """The files that differ from the golden folder's."""
    golden = GOLDENS / spec["golden"]
    settings = read(GOLDENS / "preprocess/settings.json")[spec["settings"]]
    files = {"config.json": merged(read(golden / "config.json"), spec["config"])}
    if (golden / "preprocessor_config.json").exists():
        files["preprocessor_config.json"] = settings["preprocessor_config"]
    processor = {key: value for key, value in settings.items() if key not in ("preprocessor_config", "class")}
    if (golden / "processor_config.json").exists():
        files["processor_config.json"] = {
            **read(golden / "processor_config.json"),
            **processor,
            **spec.get("processor", {}),
        }
    if "generation" in spec:
        files["generation_config.json"] = {**read(golden / "generation_config.json"), **spec["generation"]}
    if "vocabulary" in spec:
        config = read(golden / "tokenizer_config.json")
        config["added_tokens_decoder"] = {str(token["id"]): {k: v for k, v in token.items() if k != "id"}
                                          for token in tokenizer(spec)["added_tokens"] if "added" in spec or used(token)}  # fmt: skip
        files["tokenizer_config.json"] = config
    return files


def used(token):
    """Whether tokenizer_config.json repeats a token here: published ones repeat thousands that nothing reads."""
    return not re.match(r"<unused|<\|reserved_special_token|\s|</?[a-z0-9]+>$", token["content"]) or token["id"] < 8


def tokenizer(spec):
    json_ = read(ROOT / "node_modules" / spec["vocabulary"] / "models/tokenizer.json")
    return {**json_, "added_tokens": [*spec.get("added", json_["added_tokens"]), *spec.get("more", [])]}


def write_folder(folder, spec, files):
    for path in (GOLDENS / spec["golden"]).iterdir():
        if path.is_file() and path.name not in KEPT_OUT:
            (folder / path.name).write_bytes(path.read_bytes())
    if "vocabulary" in spec:
        (folder / "tokenizer.json").write_text(json.dumps(tokenizer(spec)), encoding="utf-8")
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")


def tensors(config, rename):
    """Names and shapes of the model's tensors under published names; numbers in names are put together."""
    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(config)
    names = {name: list(value.shape) for name, value in model.named_parameters()}
    names.update({name: list(model.state_dict()[name].shape) for name in model.state_dict()
                  if name.endswith(("precomputed_freqs_cis",))})  # fmt: skip
    found = {}
    for name, shape in names.items():
        for pattern, replacement in rename:
            name = re.sub(pattern, replacement, name)
        number = re.search(r"\.(\d+)\.", name)
        key = (name[: number.start(1)] + "#" + name[number.end(1) :] if number else name, tuple(shape))
        found.setdefault(key, []).append(int(number.group(1)) if number else -1)
    return [
        [name, list(shape), *([] if numbers == [-1] else [runs(numbers)])] for (name, shape), numbers in found.items()
    ]


def runs(numbers):
    """[first, last] of each run."""
    groups = itertools.groupby(enumerate(sorted(numbers)), lambda pair: pair[1] - pair[0])
    return [[run[0], run[-1]] for run in ([number for _, number in group] for _, group in groups)]


def repeated(items):
    pairs = [(item, len(list(group))) for item, group in itertools.groupby(items)]
    return [item if count == 1 else [item, count] for item, count in pairs]


def pieces(text, token):
    """The text, cut where `token` repeats."""
    parts = re.split(f"((?:{re.escape(token)}){{2,}})", text)
    return [[token, len(part) // len(token)] if i % 2 else part for i, part in enumerate(parts) if part]


def record(spec):
    files = own_files(spec)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_folder(folder, spec, files)
        config = AutoConfig.from_pretrained(folder)
        processor = AutoProcessor.from_pretrained(folder)
        generation = GenerationConfig.from_pretrained(folder)
        template = processor.chat_template
        tokens = processor.tokenizer
        message = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": QUESTION}]}

        def ask(size):
            if template is None:
                text = f"{processor.image_token if hasattr(processor, 'image_token') else '<image>'}{QUESTION}"
            else:
                text = processor.apply_chat_template([message], add_generation_prompt=True)
            bos = tokens.bos_token is not None and text.startswith(tokens.bos_token)
            image = Image.new("RGB", tuple(size), (120, 80, 40))
            kwargs = {"add_special_tokens": False} if bos else {}
            with tokenized_text(tokens) as seen:
                out = processor(images=[image], text=text, return_tensors="pt", **kwargs)
            return out["input_ids"][0].tolist(), seen[-1]

        image_id = config.image_token_id if hasattr(config, "image_token_id") else config.image_token_index
        counts = [ask(size)[0].count(image_id) for size in SIZES]
        ids, text = ask(SIZE)
        after = ""
        if template is not None:
            probe = [message, {"role": "assistant", "content": [{"type": "text", "text": "PROBE"}]}, message]
            try:
                after = processor.apply_chat_template(probe).split("PROBE")[1].lstrip()
            except Exception:  # a template that reads strings alone
                after = ""
        end = next(
            (
                i
                for i, token in tokens.added_tokens_decoder.items()
                if token.special and after.startswith(token.content)
            ),
            None,
        )
        eos = generation.eos_token_id
        stops = {*(eos if isinstance(eos, list) else [eos]), tokens.eos_token_id, end} - {None}
        expected = {
            "contextLength": config.get_text_config().max_position_embeddings, "stopIds": sorted(stops),
            "imageTokens": counts, "prompt": pieces(text, tokens.convert_ids_to_tokens(image_id)), "ids": repeated(ids),
        }  # fmt: skip
        names = tensors(config, spec.get("rename", []))
    kept = {key: spec[key] for key in ("golden", "vocabulary", "added", "more") if key in spec}
    return {**kept, "files": files, "tensors": names, "expected": expected}


def main():
    names = sys.argv[1:] or list(REPOSITORIES)
    recorded = read(OUTPUT) if OUTPUT.exists() else {}
    for name in names:
        recorded[name] = record(copy.deepcopy(REPOSITORIES[name]))
        print(name, {k: v for k, v in recorded[name]["expected"].items() if k not in ("prompt", "ids")}, flush=True)
    ordered = {name: recorded[name] for name in REPOSITORIES if name in recorded}
    lines = [f"{json.dumps(name)}: {json.dumps(content, ensure_ascii=False)}" for name, content in ordered.items()]
    OUTPUT.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    logging.set_verbosity_error()
    torch.set_num_threads(1)
    main()
