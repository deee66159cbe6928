"""Records what the reference computes inside of one prefill."""

import torch

from reference import Reference, prepare, text_model, vision_tower

# What a processor makes: recorded as the model gets it.
PROCESSOR_OUTPUTS = (
    "pixel_values", "pixel_attention_mask", "spatial_shapes", "aspect_ratio_ids", "aspect_ratio_mask",
    "cross_attention_mask", "image_position_ids",
)  # fmt: skip
# Recorded with all their bits.
EXACT = (*PROCESSOR_OUTPUTS, "position_ids")


def first(value):
    return value[0] if isinstance(value, (tuple, list)) else value


class Taps:
    """Forward hooks that collect tensors by name."""

    def __init__(self):
        self.seen, self.handles = {}, []

    def output(self, module, key: str) -> None:
        """Records the (first) output of a module."""
        self.handles.append(module.register_forward_hook(
            lambda module, args, output: self.seen.__setitem__(key, first(output))
        ))  # fmt: skip

    def on_output(self, module, hook) -> None:
        self.handles.append(module.register_forward_hook(lambda module, args, output: hook(args, output)))

    def on_input(self, module, hook) -> None:
        self.handles.append(
            module.register_forward_pre_hook(lambda module, args, kwargs: hook(args, kwargs), with_kwargs=True)
        )

    def run(self, reference: Reference, inputs, **options):
        """One prefill; the hooks are removed after it."""
        try:
            with reference.computing():
                return reference.model(**prepare(reference.model, inputs), use_cache=False, **options)
        finally:
            for handle in self.handles:
                handle.remove()


def trace(reference: Reference, inputs) -> dict[str, torch.Tensor]:
    """One prefill with hooks; returns named tensors in the model's type."""
    taps = Taps()
    out, model = taps.seen, reference.model
    text = text_model(model)
    for index, layer in enumerate(text.layers):
        taps.output(layer, f"hidden.{index}")

    def on_text(args, kwargs):
        if kwargs.get("inputs_embeds") is not None:
            out["embeds"] = kwargs["inputs_embeds"]
        if kwargs.get("position_ids") is not None and kwargs["position_ids"].ndim == 3:
            out["position_ids"] = kwargs["position_ids"][-3:, 0]

    taps.on_input(text, on_text)
    connector_inputs = []
    if "pixel_values" in inputs:
        tap_vision(taps, model, inputs, connector_inputs)
    result = taps.run(reference, inputs)
    out["logits"] = result.logits[0, -1]
    if getattr(result, "router_logits", None) is not None:
        out["router_logits"] = result.router_logits
    if connector_inputs:
        if len(connector_inputs) == 1:
            rows = connector_inputs[0]
        else:
            rows = torch.cat([part.reshape(-1, part.shape[-1]) for part in connector_inputs])
        if rows.shape != out["vision"].shape or not torch.equal(rows, out["vision"]):
            out["connector_in"] = rows
    for key in PROCESSOR_OUTPUTS:
        if key in inputs and not (key == "pixel_attention_mask" and bool(inputs[key].all())):
            out[key] = inputs[key]
    out = {key: value.detach().to(reference.dtype) for key, value in out.items()}
    return {key: value.squeeze(0) if key.startswith("hidden") else value for key, value in out.items()}


def tap_vision(taps: Taps, model, inputs, connector_inputs: list) -> None:
    """Records the vision tower's layers and result, the connector's inputs and the DeepStack features."""
    tower = vision_tower(model)

    def on_vision(args, output):
        hidden = getattr(output, "last_hidden_state", None)
        taps.seen["vision"] = first(output) if hidden is None else hidden

    taps.on_output(tower, on_vision)
    for prefix, stack in vision_layers(tower):
        for index, layer in enumerate(stack):
            taps.output(layer, f"{prefix}.{index}")
    for key, module in extra_modules(tower).items():
        taps.output(module, key)
    for name in ("multi_modal_projector", "connector", "vision_projection", "projector", "embed_vision", "merger"):
        if hasattr(model.model, name):
            module = getattr(model.model, name)
            taps.on_input(
                module, lambda args, kwargs: connector_inputs.append(args[0] if args else kwargs["inputs_embeds"])
            )
            if model.config.model_type == "mllama":
                taps.output(module, "image_embeds")
    for index, merger in enumerate(deepstack(tower, inputs)):
        taps.on_output(merger, lambda args, output, index=index: taps.seen.__setitem__(
            f"deepstack.{index}", output.reshape(-1, output.shape[-1])
        ))  # fmt: skip


def vision_layers(tower):
    """(name prefix, layers) of each stack of the vision tower."""
    if hasattr(tower, "blocks"):
        return [("vision", tower.blocks)]
    if hasattr(tower, "global_transformer"):
        return [("vision", tower.transformer.layers), ("vision_global", tower.global_transformer.layers)]
    if hasattr(tower, "timm_model"):
        return [("vision", tower.timm_model.stages)]
    if hasattr(tower, "transformer"):
        return [("vision", tower.transformer.layers)]
    if not hasattr(tower, "encoder"):
        return [("vision", tower.layers)]
    return [("vision", getattr(tower.encoder, "layers", None) or tower.encoder.layer)]


def extra_modules(tower) -> dict:
    """More places to record inside a tower: the patch rows with positions, a norm before the merger, stages."""
    kind = type(tower).__name__
    if kind == "GlmOcrVisionModel":
        return {"vision_embed": tower.patch_embed, "vision_norm": tower.post_layernorm}
    if kind in ("PaddleOCRVisionTransformer", "GraniteDoclingVisionModel"):
        return {"vision_embed": tower.embeddings}
    if kind == "PixtralVisionModel":
        return {"vision_embed": tower.ln_pre}
    if hasattr(tower, "timm_model"):
        return {"vision_embed": tower.timm_model.stem, "vision_conv": tower.timm_model.final_conv}
    return {}


def deepstack(tower, inputs) -> list:
    if type(tower).__name__ == "GraniteDoclingVisionModel":
        path = tower.connector.fine if "tile_fine_mask" in inputs else tower.connector.coarse
        return list(path.deepstack_mergers)
    return list(getattr(tower, "deepstack_merger_list", []))


def image_rows(traced: dict, input_ids: torch.Tensor, image_id: int):
    """The rows of the text model's input that come from images."""
    if "embeds" not in traced:
        return None
    rows = traced["embeds"][0][input_ids[0] == image_id]
    return rows if len(rows) else None
