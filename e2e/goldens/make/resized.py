"""Records what the reference answers where the sizes of a golden folder are unusual.

    python e2e/goldens/make/resized.py

Reads e2e/goldens/resized.json. An entry has settings by file and path, and the shapes of tensors whose names match: a tensor
is cut, or repeated, each repeat smaller by a sixteenth. Writes the prompt's ids and the answer's to the entry.
"""

import json
import re

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from changes import GOLDENS, UNPACKED, change, copied, image_case, quiet
from mutations import answer

TABLE = GOLDENS / "resized.json"
WEIGHTS = "model.safetensors"


def resized(tensor: np.ndarray, shape: list[int]) -> np.ndarray:
    indices = np.indices(shape)
    sizes = np.array(tensor.shape).reshape([-1] + [1] * len(shape))
    repeats = (indices // sizes).sum(0)
    return tensor[tuple(indices % sizes)] * (1 - repeats / 16).astype(np.float32)


def record(entry: dict) -> dict:
    with copied(UNPACKED / entry["family"]) as folder:
        for file, settings in entry["files"].items():
            path = folder / file
            path.write_text(json.dumps(change(json.loads(path.read_text()), {"set": settings})))
        weights = load_file(folder / WEIGHTS)
        for pattern, shape in entry["shapes"]:
            names = [name for name in weights if re.search(pattern, name)]
            assert names, pattern
            for name in names:
                weights[name] = torch.from_numpy(resized(weights[name].float().numpy(), shape))
        (folder / WEIGHTS).unlink()
        save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
        made = answer(folder, image_case(entry["family"]))
    first, second = made["logits"].topk(2).values.T
    print(entry["family"], entry["name"], "smallest margin", float((first - second).min()))
    return {"input_ids": made["prompt"], "output_ids": made["ids"]}


def main() -> None:
    entries = json.loads(TABLE.read_text())
    for entry in entries:
        entry.update(record(entry))
    TABLE.write_text("[\n" + ",\n".join(map(json.dumps, entries)) + "\n]\n")


if __name__ == "__main__":
    quiet()
    main()
