"""Records what the reference does with a golden folder in which one setting is changed.

    python e2e/goldens/make/mutations.py [FAMILY ...]

Reads e2e/goldens/mutations.json, changes each entry's file in a copy of the unpacked folder (`.cache/goldens`, made by the
tests), and writes what came to the entry: `same`, `output_ids`, or `refuses`.
"""

import json
import sys
from pathlib import Path

import torch
from transformers import AutoModelForImageTextToText, AutoProcessor

from changes import GOLDENS, MAX_TOKENS, UNPACKED, change, copied, image_case, inputs_of, quiet

TABLE = GOLDENS / "mutations.json"


def answer(folder: Path, case: dict) -> dict:
    """The prompt's ids, the answer's, and the logits of each step."""
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()
    processor = AutoProcessor.from_pretrained(folder)
    inputs = inputs_of(processor, case)
    with torch.no_grad():
        made = model.generate(
            **inputs, do_sample=False, max_new_tokens=MAX_TOKENS, return_dict_in_generate=True, output_logits=True
        )
    length = inputs["input_ids"].shape[1]
    return {
        "prompt": inputs["input_ids"][0].tolist(),
        "ids": made.sequences[0, length:].tolist(),
        "logits": torch.cat(made.logits),
    }


def record(entry: dict, plain: dict, case: dict) -> dict:
    with copied(UNPACKED / entry["family"]) as folder:
        path = folder / entry["file"]
        config = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps(change(config, entry)))
        try:
            made = answer(folder, case)
        except Exception as error:
            return {"refuses": f"{type(error).__name__}: {error}".split("\n")[0][:120]}
    equal = made["prompt"] == plain["prompt"] and made["ids"] == plain["ids"]
    same = equal and torch.allclose(made["logits"], plain["logits"], atol=1e-4)
    return {"prompt_tokens": len(made["prompt"]), "output_ids": made["ids"], "same": same}


def main() -> None:
    entries = json.loads(TABLE.read_text())
    families = sys.argv[1:] or list(dict.fromkeys(entry["family"] for entry in entries))
    for family in families:
        case = image_case(family)
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
    quiet()
    main()
