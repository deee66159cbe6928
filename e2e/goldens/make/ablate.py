"""Checks that every tensor of a family folder matters: neutralising it must move the recorded logits.

python e2e/goldens/make/ablate.py NAME ...
"""

import json
import re
import sys
import tempfile
from pathlib import Path

import torch

from draws import Drawer, stream_of
from families import FAMILIES
from folder import write_files, write_weights
from reference import Reference, prepare, stored_tensors

GOLDENS = Path(__file__).resolve().parent.parent


def neutral(name: str, value: torch.Tensor, plus_one: bool) -> torch.Tensor:
    """What the tensor would be if its operation were forgotten (or, for matrices, if rows were misplaced)."""
    leaf = name.rsplit(".", 1)[-1]
    if re.fullmatch(r"(in|out)put_(min|max)", leaf):
        return torch.full_like(value, float("-inf" if leaf.endswith("min") else "inf"))
    if leaf == "layer_scalar":
        return torch.ones_like(value)
    if leaf in ("A_log", "dt_bias"):
        return value.roll(1, 0)
    if name.endswith(("bias", "running_mean")) or "gate" in leaf or len(value) == 1:
        return torch.zeros_like(value)
    if value.ndim == 1:
        zero = plus_one and "norm" in name and "language_model" in name and "linear_attn" not in name
        return torch.zeros_like(value) if zero else torch.ones_like(value)
    return value.roll(1, 0)


def ablate(name: str, folder: Path) -> list[tuple[float, str]]:
    """Returns (largest change of last-position logits over the image cases, tensor), least sensitive first."""
    checkpoint = FAMILIES[name](0)
    write_files(folder, checkpoint)
    write_weights(folder, checkpoint, Drawer(stream_of(checkpoint.seed, name)))
    reference = Reference(folder, GOLDENS)
    cases = json.loads((GOLDENS / name / "cases.json").read_text())
    inputs = [reference.inputs(c["messages"])[0] for c in cases if c["name"] in ("image", "large", "two_images")]
    if checkpoint.extra_kwargs:
        for case in json.loads((GOLDENS / name / "cases-fine.json").read_text()):
            inputs.append(reference.inputs(case["messages"], **case["processor_kwargs"])[0])
    prepared = [prepare(reference.model, i) for i in inputs]

    def run():
        with reference.computing():
            return [reference.model(**p).logits[0, -1] for p in prepared]

    base, rows = run(), []
    for tensor, parameter in stored_tensors(reference.model):
        if "audio" in tensor:  # never run
            continue
        saved = parameter.detach().clone()
        with torch.no_grad():
            parameter.copy_(neutral(tensor, saved, checkpoint.plus_one_norms))
        change = max(float((a - b).abs().max()) for a, b in zip(base, run(), strict=True))
        with torch.no_grad():
            parameter.copy_(saved)
        rows.append((change, tensor))
    return sorted(rows)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for argument in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as scratch:
            rows = ablate(argument, Path(scratch) / argument)
        print(argument, len(rows), "tensors; least sensitive:")
        for change, name in rows[: max(6, sum(change < 0.01 for change, _ in rows))]:
            print(f"  {change:.4f} {name}", flush=True)
