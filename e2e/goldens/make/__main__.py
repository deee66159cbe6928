"""Makes the goldens: tiny checkpoints in Hugging Face layout and what transformers computes with them.

    python e2e/goldens/make [NAME ...] [--check] [--out DIR] [--seed N] [--variant K]

NAME is a family folder, or images, preprocess, tokenizers or sample. Without names: all that the repository keeps. The
README beside this folder says more.
"""

import argparse
import filecmp
import json
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

import torch
from transformers.utils import logging

import preprocess
import qwen3_5_vocabulary
import sample
import vocabularies
from families import FAMILIES
from files import write_json
from folder import make_folder
from images import make_images

GOLDENS = Path(__file__).resolve().parent.parent
NODE_MODULES = GOLDENS.parent.parent / "node_modules"
SEED = 1
# What is made of the images, the published settings and vocabularies, and the sample model.
OTHERS = ["images", "preprocess", "tokenizers", "sample"]


def kept() -> list[str]:
    """The family folders of the repository."""
    return [name for name in FAMILIES if (GOLDENS / name).exists()]


def make(name: str, out: Path, seed: int | None, variant: int) -> None:
    """Makes out/NAME, and out/images.json with the images.

    Raises: SystemExit when a seed makes no good golden.
    """
    root = out if (out / "images").exists() else GOLDENS
    if name == "images":
        write_json(out / "images.json", make_images(out / "images", SEED if seed is None else seed, variant))
    elif name == "preprocess":
        preprocess.write(out / name, root, kept())
    elif name == "tokenizers":
        vocabularies.write(out / name, NODE_MODULES, SEED)
        if "qwen3_5" in kept():
            qwen3_5_vocabulary.write(out / name, SEED)
    elif name == "sample":
        sample.write(out / name, GOLDENS)
    else:
        with tempfile.TemporaryDirectory() as scratch:
            made = Path(scratch) / name
            found = make_folder(made, root, FAMILIES[name](variant), seed, variant)
            print(json.dumps(found), flush=True)
            if found["unclear"]:
                sys.exit(
                    f"{name}: {found['unclear']}. Try another --seed; put it into the family's Checkpoint if it is good."
                )
            shutil.rmtree(out / name, ignore_errors=True)
            shutil.copytree(made, out / name, ignore=shutil.ignore_patterns("*.safetensors"))


def differences(made: Path) -> list[str]:
    """The files below `made` that are not the committed ones, and committed files of its family folders that it lacks."""
    files = {path.relative_to(made) for path in made.rglob("*") if path.is_file()}
    for folder in [folder.name for folder in made.iterdir() if folder.name in FAMILIES]:
        files |= {path.relative_to(GOLDENS) for path in (GOLDENS / folder).rglob("*") if path.is_file()}
    return sorted(
        str(file)
        for file in files
        if not (made / file).exists()
        or not (GOLDENS / file).exists()
        or not filecmp.cmp(made / file, GOLDENS / file, shallow=False)
    )


def check(names: list[str], seed: int | None, variant: int) -> int:
    """Makes everything again in a scratch folder. Returns how many names have files that differ."""
    wrong = 0
    for name in names:
        with tempfile.TemporaryDirectory() as scratch:
            out = Path(scratch)
            make(name, out, seed, variant)
            found = differences(out)
        wrong += bool(found)
        print(f"{name}: {'differs in ' + ', '.join(found) if found else 'the same bytes'}", flush=True)
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join([*OTHERS, *FAMILIES]))
    parser.add_argument(
        "--check", action="store_true", help="make in a scratch folder and compare with the repository's"
    )
    parser.add_argument("--out", type=Path, default=GOLDENS, help="write here instead of e2e/goldens")
    parser.add_argument("--seed", type=int, help="in place of the family's own")
    parser.add_argument(
        "--variant", type=int, default=0, choices=[0, 1], help="1: models of another structure, other images"
    )
    args = parser.parse_args()
    names = args.names or [*OTHERS, *kept()]
    for name in names:
        if name not in OTHERS and name not in FAMILIES:
            parser.error(f"{name} is none of {', '.join([*OTHERS, *FAMILIES])}")
    if (args.variant or args.seed is not None) and args.out == GOLDENS and not args.check:
        parser.error("the repository keeps variant 0 and the families' own seeds: give --out")
    if args.check:
        return min(check(names, args.seed, args.variant), 1)
    args.out.mkdir(parents=True, exist_ok=True)
    if args.variant and not (args.out / "images").exists():
        make("images", args.out, args.seed, args.variant)
    for name in names:
        make(name, args.out, args.seed, args.variant)
    return 0


if __name__ == "__main__":
    torch.set_num_threads(1)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    warnings.filterwarnings("ignore")
    sys.exit(main())
