"""Records what the reference does with a golden folder in which one setting is changed.

    python e2e/goldens/make/mutations.py [FAMILY ...]

Reads e2e/goldens/mutations.json, changes each entry's file in a copy of the unpacked folder (`.cache/goldens`, made by the
tests), and writes what came to the entry: `same`, `output_ids`, or `refuses`.
"""

import copy
import json
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

import torch
from transformers import AutoModelForImageTextToText, AutoProcessor
from transformers.utils import logging

from reference import to_hugging_face

GOLDENS = Path(__file__).resolve().parent.parent
UNPACKED = GOLDENS.parent.parent / ".cache" / "goldens"
TABLE = GOLDENS / "mutations.json"
CASE = "image"
MAX_TOKENS = 8


def change(config: dict, entry: dict) -> dict:
    """The config with the entry's paths set and removed."""
    config = copy.deepcopy(config)
    for path, value in entry.get("set", {}).items():
        *parents, name = path.split(".")
        part = config
        for parent in parents:
            part = part.setdefault(parent, {})
        part[name] = value
    for path in entry.get("remove", []):
        *parents, name = path.split(".")
        part = config
        for parent in parents:
            part = part[parent]
        part.pop(name, None)
    return config


def answer(folder: Path, case: dict) -> dict:
    """The prompt's length, the answer and the first step's logits."""
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()
    processor = AutoProcessor.from_pretrained(folder)
    messages, images = to_hugging_face(case["messages"], GOLDENS)
    if getattr(processor, "chat_template", None):
        text = processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        inputs = processor(text=text, images=images or None, return_tensors="pt", add_special_tokens=case["add_special_tokens"])
    else:
        text = next(part["text"] for part in messages[0]["content"] if part["type"] == "text")
        inputs = processor(text="<image>" * len(images) + text, images=images, return_tensors="pt")
    with torch.no_grad():
        made = model.generate(
            **inputs, do_sample=False, max_new_tokens=MAX_TOKENS, return_dict_in_generate=True, output_logits=True
        )
    length = inputs["input_ids"].shape[1]
    return {
        "prompt": length,
        "ids": made.sequences[0, length:].tolist(),
        "logits": torch.cat(made.logits),
    }


def record(entry: dict, plain: dict, case: dict) -> dict:
    source = UNPACKED / entry["family"]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / entry["family"]
        shutil.copytree(source, folder)
        path = folder / entry["file"]
        config = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps(change(config, entry)))
        try:
            made = answer(folder, case)
        except Exception as error:
            return {"refuses": f"{type(error).__name__}: {error}".split("\n")[0][:120]}
    equal = made["prompt"] == plain["prompt"] and made["ids"] == plain["ids"]
    same = equal and torch.allclose(made["logits"], plain["logits"], atol=1e-4)
    return {"prompt_tokens": made["prompt"], "output_ids": made["ids"], "same": same}


def main() -> None:
    entries = json.loads(TABLE.read_text())
    families = sys.argv[1:] or list(dict.fromkeys(entry["family"] for entry in entries))
    for family in families:
        cases = json.loads((GOLDENS / family / "cases.json").read_text())
        case = next(case for case in cases if case["name"] == CASE)
        plain = answer(UNPACKED / family, case)
        if plain["ids"] != case["output_ids"][:MAX_TOKENS]:
            sys.exit(f"{family}: {plain['ids']} without a change, cases.json has {case['output_ids'][:MAX_TOKENS]}")
        for entry in entries:
            if entry["family"] != family:
                continue
            for name in ("refuses", "prompt_tokens", "output_ids", "same"):
                entry.pop(name, None)
            entry.update(record(entry, plain, case))
            print(family, entry["id"], entry.get("refuses") or entry["same"], flush=True)
        lines = ",\n".join(json.dumps(entry, separators=(", ", ": ")) for entry in entries)
        TABLE.write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    warnings.filterwarnings("ignore")
    main()
