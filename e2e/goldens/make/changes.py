"""What the recorders of changed settings share: golden folders with a changed file, and how the reference is asked."""

import copy
import json
import warnings
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from transformers.utils import logging

from reference import to_hugging_face

GOLDENS = Path(__file__).resolve().parent.parent
UNPACKED = GOLDENS.parent.parent / ".cache" / "goldens"
MAX_TOKENS = 8


def image_case(family: str) -> dict:
    """The case of a golden folder that has one image."""
    cases = json.loads((GOLDENS / family / "cases.json").read_text())
    return next(case for case in cases if case["name"] == "image")


@contextmanager
def copied(source: Path):
    """A copy of a folder whose small JSON files may be changed."""
    with TemporaryDirectory() as scratch:
        folder = Path(scratch) / source.name
        folder.mkdir()
        for path in source.iterdir():
            if path.suffix != ".json" or path.name in ("tokenizer.json", "weights.json"):
                (folder / path.name).symlink_to(path)
            else:
                (folder / path.name).write_text(path.read_text())
        yield folder


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


def inputs_of(processor, case: dict):
    """The model's inputs for a case."""
    messages, images = to_hugging_face(case["messages"], GOLDENS)
    if not getattr(processor, "chat_template", None):
        text = next(part["text"] for part in messages[0]["content"] if part["type"] == "text")
        return processor(text="<image>" * len(images) + text, images=images, return_tensors="pt")
    text = processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    # As `apply_chat_template` does where it tokenizes.
    bos = processor.tokenizer.bos_token
    add_special_tokens = bos is None or not text.startswith(bos)
    return processor(text=text, images=images or None, return_tensors="pt", add_special_tokens=add_special_tokens)


def quiet():
    """One thread, which makes results the same everywhere, and no messages of transformers."""
    torch.set_num_threads(1)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    warnings.filterwarnings("ignore")
