"""Runs a written folder again in other ways: another attention kernel in float32, and the whole model in float16."""

import math
from pathlib import Path

import torch

from checkpoint import Checkpoint
from reference import Reference
from taps import trace


def verify(folder: Path, root: Path, checkpoint: Checkpoint, cases: list[dict], tensors: dict) -> dict:
    """Returns the errors. The entry "unclear" says why the folder is no good golden; it is "" for a good one."""
    kernels = "sdpa"
    if "audio_config" in checkpoint.config:
        # Gemma 4's audio tower, which is not run, has no other attention than the plain one.
        kernels = {"text_config": "sdpa", "vision_config": "sdpa", "audio_config": "eager"}
    elif checkpoint.config.get("text_config", {}).get("model_type") == "gemma2":
        kernels = {"text_config": "eager", "vision_config": "sdpa"}  # softcapping
    single = run_again(Reference(folder, root, kernels, torch.float32), checkpoint, cases, tensors)
    half = run_again(Reference(folder, root, dtype=torch.float16), checkpoint, cases, tensors)
    margin = min(case["min_margin"] for case in cases)
    result = {
        "family": folder.name, "cases": len(cases), "stops": sum(case["finish_reason"] == "stop" for case in cases),
        "min_margin": margin,
        **{f"f32_{key}": value for key, value in single.items()}, **{f"f16_{key}": value for key, value in half.items()},
    }  # fmt: skip
    wrong = []
    if single["same"] != len(cases):
        raise ValueError(f"{folder.name}: float32 and float64 answer differently: {result}")
    if half["same"] != len(cases) or margin <= 0.1:
        wrong.append(f"margin {margin}, float16 answers {half['same']} of {len(cases)} cases the same way")
    for key, limit in (("logits", checkpoint.f16_limit), ("hidden", checkpoint.f16_hidden_limit)):
        if half[key] > (limit or math.inf):
            wrong.append(f"float16 error of {key} {half[key]}")
    return {**result, "unclear": "; ".join(wrong)}


def run_again(reference: Reference, checkpoint: Checkpoint, cases: list[dict], tensors: dict) -> dict:
    """How many answers are the same; the largest error of recorded logits, and of recorded layers relative to their rms."""
    same, logit_error, hidden_error = 0, 0.0, 0.0
    for case in cases:
        inputs, prompt, _ = reference.inputs(case["messages"])
        ids, _, logits = reference.generate(inputs, case["max_tokens"], checkpoint.eos)
        if inputs["input_ids"][0].tolist() != case["input_ids"] or prompt != case["prompt"]:
            raise ValueError(f"{reference.folder.name}: the prompt of case {case['name']} differs on reload")
        same += ids == case["output_ids"]
        if f"{case['name']}.logits" in tensors:
            logit_error = max(logit_error, float((logits[0] - tensors[f"{case['name']}.logits"]).abs().max()))
            for key, value in trace(reference, inputs).items():
                right = tensors.get(f"{case['name']}.{key}")
                if key.startswith("hidden.") and right is not None:
                    hidden_error = max(hidden_error, float((value - right).abs().max() / right.square().mean().sqrt()))
    return {"same": same, "logits": float(f"{logit_error:.2g}"), "hidden": float(f"{hidden_error:.2g}")}
