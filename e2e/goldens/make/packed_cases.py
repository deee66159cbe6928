"""Writes ../packed/cases.json: what transformers answers, in float32, with exactly the values of each packed folder.

    python packed_cases.py UNPACKED > ../packed/cases.json

UNPACKED is `.cache/goldens`, which the tests make: each folder of its `packed` has `dequantized.safetensors.expected`,
whose tensors have the names of the family folder. The conversation is the family folder's case `image`. An answer is cut before
the first token that is decided by less than MARGIN.
"""

import hashlib
import json
import sys
import warnings
from pathlib import Path

import torch
from safetensors.torch import load
from transformers.utils import logging

from reference import Reference

MARGIN, MOST_TOKENS = 0.02, 8
FAMILIES = ("qwen2_5_vl", "qwen2_vl", "qwen3_vl", "smolvlm")


def main() -> None:
    torch.set_num_threads(1)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    warnings.filterwarnings("ignore")
    unpacked, goldens = Path(sys.argv[1]), Path(__file__).resolve().parent.parent
    found = {}
    for folder in sorted((unpacked / "packed").iterdir()):
        family = next(family for family in FAMILIES if f"-{family}" in folder.name)
        golden = unpacked / family
        reference = Reference(golden, goldens, dtype=torch.float32)
        names = json.loads((golden / "newer" / "names.json").read_text())
        raw = (folder / "dequantized.safetensors.expected").read_bytes()
        parameters = dict(reference.model.named_parameters(remove_duplicate=False))
        with torch.no_grad():
            # A plain conversion has none; safetensors refuses such a file.
            for name, value in (load(raw) if len(raw) > 16 else {}).items():
                parameters[names[name][1]].copy_(value)
        case = next(case for case in json.loads((golden / "cases.json").read_text()) if case["name"] == "image")
        inputs, _, _ = reference.inputs(case["messages"])
        assert inputs["input_ids"][0].tolist() == case["input_ids"]
        eos = json.loads((golden / "generation_config.json").read_text())["eos_token_id"]
        ids, margins, _ = reference.generate(inputs, MOST_TOKENS, eos if isinstance(eos, list) else [eos])
        clear = next((i for i, margin in enumerate(margins) if margin < MARGIN), len(ids))
        found[folder.name] = {"sha256": hashlib.sha256(raw).hexdigest(), "output_ids": [int(i) for i in ids[:clear]]}
        print(folder.name, ids, [round(float(m), 3) for m in margins], file=sys.stderr)
    print("{" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in found.items()) + "}")


if __name__ == "__main__":
    main()
