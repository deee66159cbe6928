"""Records the caches of models with convolution and recurrent states."""

from importlib.util import find_spec

import torch

from reference import Reference, prepare


def plain_torch() -> None:
    """The recorded reference must not come from fused kernels."""
    for name in ("fla", "causal_conv1d", "kernels"):
        if find_spec(name) is not None:
            raise RuntimeError(f"{name} is installed: the reference would not be the plain torch path")


def cache_states(cache, prefix: str) -> dict[str, torch.Tensor]:
    """Convolution, recurrent and key-value states of a cache, without the batch dimension."""
    out = {}
    for index, layer in enumerate(cache.layers):
        conv = getattr(layer, "conv_states", None)
        if conv is not None and conv[0] is not None:
            out[f"{prefix}.conv.{index}"] = conv[0][0]
        recurrent = getattr(layer, "recurrent_states", None)
        if recurrent is not None and recurrent[0] is not None:
            out[f"{prefix}.recurrent.{index}"] = recurrent[0][0]
        keys = getattr(layer, "keys", None)
        if keys is not None and keys.numel():
            out[f"{prefix}.key.{index}"], out[f"{prefix}.value.{index}"] = keys[0], layer.values[0]
    return {key: value.detach().clone() for key, value in out.items()}


def prefill_states(reference: Reference, inputs) -> dict[str, torch.Tensor]:
    """The cache after prefill."""
    with reference.computing():
        result = reference.model(**prepare(reference.model, inputs), use_cache=True)
    return cache_states(result.past_key_values, "state")


def end_states(reference: Reference, inputs, entry, eos) -> dict[str, torch.Tensor]:
    """The cache at the end of the greedy path (the last generated token has not been fed)."""
    with reference.computing():
        result = reference.model.generate(
            **inputs, max_new_tokens=entry["max_tokens"], do_sample=False, temperature=None, top_k=None, top_p=None,
            eos_token_id=eos, return_dict_in_generate=True,
        )  # fmt: skip
    if result.sequences[0, inputs["input_ids"].shape[1] :].tolist() != entry["output_ids"]:
        raise ValueError("another greedy path")
    states = cache_states(result.past_key_values, "state_end")
    return {key: value for key, value in states.items() if ".key." not in key and ".value." not in key}


def record_states(reference: Reference, inputs, entry, eos, traced) -> dict[str, torch.Tensor]:
    plain_torch()
    return {**prefill_states(reference, inputs), **end_states(reference, inputs, entry, eos)}
