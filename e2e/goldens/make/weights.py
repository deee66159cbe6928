"""Random weights that leave no parameter at a value which hides a missing operation."""

import math
import re

import torch

from draws import Drawer


def is_norm(name: str) -> bool:
    return bool(re.search(r"norm|ln_q|layrnorm|\.ln\d?\b|layer_norm", name))


def row_ranges(factors: dict[int, float], rows: int) -> list[tuple[int, int, float]]:
    """(first row, row after the last, factor) of each run of neighbouring rows with the same factor."""
    ranges = []
    for row in sorted(row for row in factors if row < rows):
        if ranges and ranges[-1][1] == row and ranges[-1][2] == factors[row]:
            ranges[-1] = (ranges[-1][0], row + 1, factors[row])
        else:
            ranges.append((row, row + 1, factors[row]))
    return ranges


def randomize(model, draw: Drawer, plus_one_norms: bool, row_factors: dict[int, float], head_gain: float,
              embed_std: float | None) -> None:  # fmt: skip
    """Fills every parameter and statistic of `model` with random values that bfloat16 holds exactly.

    Norm weights lie around 1 (around 0 where the model adds 1 itself), biases, gates and position embeddings are
    clearly non-zero, and matrices are scaled by their fan-in so that activations stay near unit size.

    Args:
        row_factors: token id -> factor of its embedding and head rows (padding rows of the vocabulary, special tokens).
        head_gain: factor of the head's rows.
        embed_std: standard deviation of token embeddings that are not tied to the head.
    """
    tied = model.get_output_embeddings().weight is model.get_input_embeddings().weight
    # A tied matrix is listed once, under its embedding name.
    for name, parameter in sorted(model.named_parameters()):
        spread = value_range(name, parameter.shape, tied, plus_one_norms, head_gain, embed_std)
        if re.search(r"embed_tokens\.weight$|lm_head\.weight$", name):
            spread["rows"] = row_ranges(row_factors, parameter.shape[0])
        with torch.no_grad():
            parameter.copy_(draw(name, parameter.shape, **spread))
    for name, buffer in sorted(model.named_buffers()):
        if re.search(r"running_(mean|var)$", name):
            buffer.copy_(draw(name, buffer.shape, 0.2, 0.0 if name.endswith("mean") else 1.2))


def value_range(name: str, shape, tied: bool, plus_one_norms: bool, head_gain: float, embed_std: float | None) -> dict:
    """The arguments of Drawer for a parameter."""
    leaf = name.rsplit(".", 1)[-1]
    vision = bool(re.search(r"vision|visual|multi_modal|connector|model\.projector", name))
    if re.search(r"embed_tokens\.weight$|lm_head\.weight$", name):
        unit = head_gain / math.sqrt(shape[-1])
        if tied:
            return {"std": (1.2 if plus_one_norms else 4.0) * unit}
        return {"std": 5.0 * unit if "lm_head" in name else embed_std or 0.35}
    if re.search(r"lambda_\d|layer_scale", name):
        return {"std": 0.2, "mean": 0.8}
    if re.search(r"gate(_attn|_ffn|)?$", leaf) and len(shape) <= 1:
        return {"std": 0.15, "mean": 0.7}
    if (is_norm(name) or ("timm_model" in name and ".bn." in name)) and leaf == "weight":
        plus_one = plus_one_norms and not vision
        if tied and re.search(r"(language_model|text_model)\.(embedding_)?norm\.weight$", name):
            # Random signs stop a tied head from echoing the last token's own embedding.
            if plus_one_norms:
                return {"std": 0.5, "mean": 3.5, "signs": True, "offset": -1.0}
            return {"std": 0.2, "mean": 1.0, "signs": True}
        if plus_one_norms and "soft_emb_norm" in name:
            return {"std": 0.2, "mean": 0.4}
        return {"std": 0.2, "mean": 0.3 if plus_one else 1.0}
    if leaf == "bias":
        return {"std": 0.25}
    positions = r"position|embedding$|tile_embedding|cls_token|class_embedding|pos_embed|image_newline"
    if re.search(positions, name) and "patch_embed" not in name:
        return {"std": 0.35}
    if re.search(r"tile_embedding|pos(itional)?_emb", name):
        return {"std": 0.35}
    if len(shape) < 2:
        return {"std": 0.3}
    return {"std": matrix_std(name, shape, leaf, vision)}


def matrix_std(name: str, shape, leaf: str, vision: bool) -> float:
    if re.search(r"conv\.conv\.weight", name):
        return 0.6
    fan_in = shape[0] if leaf == "mm_input_projection_weight" else math.prod(shape[1:])
    std = 1.0 / math.sqrt(fan_in)
    if re.search(r"(q_proj|k_proj|qkv)\.weight$", name):
        std *= 1.5  # peaky attention, so that masks and rotary positions matter
    if not vision and re.search(r"(o_proj|down_proj|out_proj)\.weight$|feed_forward\.w2", name):
        std *= 1.6  # layers outweigh the token's own embedding, so that greedy decoding does not echo
    if re.search(r"language_model.*self_attn\.out_proj", name):
        std *= 2.0  # few attention layers among convolutions: let them weigh more
    return std
