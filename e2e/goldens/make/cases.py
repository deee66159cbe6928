"""Chooses the wording of a case, records its prompt and its greedy answer."""

import numpy as np

from conversations import Writer


def describe_tiles(processor, inputs, images) -> dict:
    """Grid or tile counts of each image, from the image processor itself."""
    if not images:
        return {}
    info = {}
    if "image_grid_thw" in inputs:
        info["image_grid_thw"] = inputs["image_grid_thw"].tolist()
    name = type(processor.image_processor).__name__
    if name.startswith(("SmolVLM", "Idefics")):
        raw = processor.image_processor([images], return_row_col_info=True, return_tensors="pt")
        info["rows_cols"] = [list(pair) for pair in zip(raw["rows"][0], raw["cols"][0], strict=True)]
    if name.startswith("GraniteDocling"):
        info["rows_cols"] = [list(processor.image_processor.get_tile_grid(p.height, p.width)) for p in images]
    if name.startswith("Lfm2"):
        raw = processor.image_processor([images], return_row_col_info=True, return_tensors="pt")
        rows, cols = (np.asarray(raw[key]).reshape(-1).tolist() for key in ("image_rows", "image_cols"))
        info["rows_cols"] = [list(pair) for pair in zip(rows, cols, strict=True)]
        info["image_sizes"] = np.asarray(raw["image_sizes"]).reshape(-1, 2).tolist()
        info["spatial_shapes"] = inputs["spatial_shapes"].tolist()
    if "image_position_ids" in inputs:
        sides = inputs["image_position_ids"].amax(dim=1) + 1  # (columns, rows) of each image's patches
        info["patch_grids"] = sides.flip(-1).tolist()
    if name.startswith("MiniCPM"):
        info["grids"] = [list(g) for g in processor.image_processor(images, return_tensors="pt")["grids"]]
    for key in ("image_sizes", "num_patches", "aspect_ratio_ids", "batch_num_images", "target_sizes"):
        if key in inputs and key not in info:
            info[key] = inputs[key].tolist()
    if "aspect_ratio_mask" in inputs:
        info["tiles"] = inputs["aspect_ratio_mask"].sum(-1).tolist()
    if "InternVL" in type(processor).__name__:
        info["tiles_per_image"] = [
            int(processor.image_processor([p], crop_to_patches=True, return_tensors="pt")["num_patches"][0])
            for p in images
        ]
    info["pixel_values_shape"] = list(inputs["pixel_values"].shape)
    return info


def adds_special_tokens(tokenizer, prompt: str, ids: list[int]) -> bool:
    """Whether `ids` are tokenizer.json's encoding of the prompt with its post-processor (a leading bos) or without."""
    if tokenizer.encode(prompt, add_special_tokens=False).ids == ids:
        return False
    if tokenizer.encode(prompt, add_special_tokens=True).ids == ids:
        return True
    raise ValueError("tokenizer.json and transformers' tokenizer disagree")


def fair(ids, margins, specials, eos, least: float) -> bool:
    """Whether a greedy path is a good golden: clear margins, varied tokens, no special token but a final eos."""
    body = ids[:-1] if ids and ids[-1] in eos else ids
    if len(ids) < 3 or min(margins) < least or any(i in specials for i in body):
        return False
    return len(ids) < 8 or len(set(body)) >= max(5, len(body) // 3)


def answer(reference, checkpoint, inputs, prompt: str, max_tokens: int, ids, margins) -> dict:
    """The fields of a case that say what is answered."""
    tokenizer = reference.processor.tokenizer
    image_id = tokenizer.convert_tokens_to_ids(checkpoint.image_token)
    return {
        "image_token_count": int((inputs["input_ids"] == image_id).sum()),
        "max_tokens": max_tokens,
        "output_ids": ids,
        "text": tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False),
        "finish_reason": "stop" if ids[-1] in checkpoint.eos else "length",
        "min_margin": round(min(margins), 4),
    }


def run_case(reference, checkpoint, name, builder, rng, specials, attempts=40, want=0.12, stop=False, variant=0,
             steps=(16, 25)):  # fmt: skip
    """Looks for wording whose greedy path is clear (and, with `stop`, ends at eos) and records it.

    `steps` is the range of max_tokens; paths of long cases must not end early. Returns (entry of cases.json, model
    inputs), or None when no wording gives a clear path.
    """
    best = None
    writer = Writer(rng, variant)
    for _ in range(attempts):
        max_tokens = int(rng.integers(*steps))
        messages = builder(writer)
        inputs, prompt, images = reference.inputs(messages)
        ids, margins, _ = reference.generate(inputs, max_tokens, checkpoint.eos)
        long_enough = steps[0] <= 16 or len(ids) >= steps[0] // 2
        if not long_enough or not fair(ids, margins, specials, checkpoint.eos, checkpoint.least_margin):
            continue
        stopped = ids[-1] in checkpoint.eos
        score = min(min(margins), want) + (10 if stop == stopped else 0)
        if best is None or score > best[0]:
            best = (score, messages, inputs, prompt, images, ids, margins, max_tokens)
        if min(margins) >= want and stop == stopped:
            break
    if best is None:
        return None
    _, messages, inputs, prompt, images, ids, margins, max_tokens = best
    entry = {
        "name": name,
        "messages": messages,
        "prompt": prompt,
        "add_special_tokens": adds_special_tokens(checkpoint.tokenizer, prompt, inputs["input_ids"][0].tolist()),
        "input_ids": inputs["input_ids"][0].tolist(),
        **describe_tiles(reference.processor, inputs, images),
        **answer(reference, checkpoint, inputs, prompt, max_tokens, ids, margins),
    }
    return entry, inputs
