"""The reference: a tiny checkpoint, loaded with transformers."""

import copy
import json
from contextlib import contextmanager, nullcontext
from pathlib import Path
from unittest import mock

import torch
from PIL import Image, ImageOps
from transformers import (
    AutoConfig,
    AutoModelForImageTextToText,
    AutoProcessor,
    LightOnOcrConfig,
    LightOnOcrForConditionalGeneration,
    LightOnOcrProcessor,
)  # fmt: skip
from transformers.modeling_outputs import BaseModelOutput
from transformers.models.mllama.modeling_mllama import MllamaVisionEncoder

from float64 import float64


def load_image(path: Path) -> Image.Image:
    """Opens an image upright; the image processors convert its colour mode themselves."""
    return ImageOps.exif_transpose(Image.open(path))


def to_hugging_face(messages: list[dict], root: Path):
    """OpenAI messages -> (messages with {"type": "image", "image": image}, the images in order)."""
    result, images = copy.deepcopy(messages), []
    for message in result:
        if isinstance(message["content"], str):
            continue
        for part in message["content"]:
            if part["type"] == "image_url":
                image = load_image(root / part.pop("image_url")["url"])
                part.update(type="image", image=image)
                images.append(image)
    return result, images


@contextmanager
def tokenized_text(tokenizer):
    """Collects the texts that a processor hands to its tokenizer."""
    seen, kind = [], type(tokenizer)
    original = kind.__call__

    def spy(self, text=None, *args, **kwargs):
        if text is not None:
            seen.append(text[0] if isinstance(text, list) else text)
        return original(self, text, *args, **kwargs)

    with mock.patch.object(kind, "__call__", spy):
        yield seen


@contextmanager
def original_mllama_taps():
    """Makes Llama 3.2 Vision tap the *inputs* of the vision layers in `intermediate_layers_indices`.

    Meta's code and earlier transformers do that, so the published weights expect it. transformers 5.23 collects the
    layers' outputs instead, one layer later.
    """

    def forward(self, hidden_states, attention_mask=None):
        states = ()
        for layer in self.layers:
            states += (hidden_states,)
            hidden_states = layer(hidden_states=hidden_states, attention_mask=attention_mask)
        return BaseModelOutput(last_hidden_state=hidden_states, hidden_states=states)

    with mock.patch.object(MllamaVisionEncoder, "forward", forward):
        yield


def classes(folder: Path):
    """(config, model, processor) classes for a folder. LightOnOCR's files name Mistral 3's model type, so that its
    model card asks for the classes by name."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if config["architectures"][0] == "LightOnOCRForConditionalGeneration":
        return LightOnOcrConfig, LightOnOcrForConditionalGeneration, LightOnOcrProcessor
    return AutoConfig, AutoModelForImageTextToText, AutoProcessor


@contextmanager
def computing(dtype: torch.dtype):
    """Runs a model of the type. For float64, casts to float32 inside of the model keep float64."""
    with torch.no_grad(), float64() if dtype == torch.float64 else nullcontext(), original_mllama_taps():
        yield


class Reference:
    """A checkpoint folder loaded with transformers.

    Granite's logits are divided by `logits_scaling` where transformers 5.23 forgets it (LLaVA-NeXT's class has no
    place for it; GraniteForCausalLM, earlier transformers and vLLM divide).

    Args:
        folder: the checkpoint, with its weights.
        root: where the conversations' image paths begin.
    """

    def __init__(self, folder: Path, root: Path, attention="eager", dtype: torch.dtype = torch.float64):
        self.folder, self.root, self.dtype = folder, root, dtype
        config_class, model_class, processor_class = classes(folder)
        with self.computing():
            self.model, info = model_class.from_pretrained(
                folder, config=config_class.from_pretrained(folder), dtype=dtype, attn_implementation=attention,
                output_loading_info=True,
            )  # fmt: skip
        self.model.eval()
        for key in ("missing_keys", "unexpected_keys", "mismatched_keys"):
            keys = [name for name in info.get(key) or [] if not (key == "unexpected_keys" and unused(self.model, name))]
            if keys:
                raise ValueError(f"{folder.name}: {key}: {keys}")
        text = self.model.config.get_text_config()
        self.logits_scaling = getattr(text, "logits_scaling", None) if text.model_type == "granite" else None
        if self.logits_scaling:
            self.model.lm_head.register_forward_hook(lambda module, args, output: output / self.logits_scaling)
        self.processor = processor_class.from_pretrained(folder)

    def computing(self):
        return computing(self.dtype)

    def inputs(self, messages, **settings):
        """Returns (model inputs, text given to the tokenizer, images) by the path a hub user takes."""
        conversation, images = to_hugging_face(messages, self.root)
        more = {"processor_kwargs": settings} if settings else {}
        with tokenized_text(self.processor.tokenizer) as seen:
            inputs = self.processor.apply_chat_template(
                conversation, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt", **more
            )
        inputs = {key: value.to(self.dtype) if value.is_floating_point() else value for key, value in inputs.items()}
        return inputs, seen[-1], images

    def generate(self, inputs, max_tokens: int, eos: list[int]):
        """Greedy decoding. Returns (ids, top-1/top-2 logit margins, logits of every step)."""
        with self.computing():
            result = self.model.generate(
                **inputs, max_new_tokens=max_tokens, do_sample=False, temperature=None, top_k=None, top_p=None,
                eos_token_id=eos, return_dict_in_generate=True, output_logits=True,
            )  # fmt: skip
        ids = result.sequences[0, inputs["input_ids"].shape[1] :].tolist()
        logits = torch.stack([step[0] for step in result.logits])
        top = logits.topk(2, dim=-1).values
        return ids, (top[:, 0] - top[:, 1]).tolist(), logits


def stored_tensors(model) -> list:
    """(name, tensor) of what a checkpoint file holds: parameters, then persistent floating-point buffers; tied ones once."""
    buffers = dict(model.named_buffers())
    kept = [name for name in model.state_dict() if name in buffers and buffers[name].is_floating_point()]
    return [*model.named_parameters(), *((name, buffers[name]) for name in kept)]


def unused(model, name: str) -> bool:
    """Whether a stored tensor belongs to a part that no module has: multi-token prediction, pooling heads."""
    layers = model.config.get_text_config().num_hidden_layers
    return (
        name.startswith((f"model.language_model.layers.{layers}.", "mtp."))
        or "vision_model.head." in name
        or "packing_position_embedding" in name
    )


def vision_tower(model):
    """The module whose output is the vision tower's last hidden state."""
    base = model.model
    for name in ("vision_tower", "visual", "vision_model", "vision_encoder"):
        if hasattr(base, name):
            tower = getattr(base, name)
            return getattr(tower, "vision_model", tower)
    raise AttributeError("no vision tower")


def text_model(model):
    base = model.model
    return base.language_model if hasattr(base, "language_model") else base.text_model


def prepare(model, inputs):
    """What `generate` adds to the inputs before the first forward pass (position ids, masks by token type)."""
    prepared = model.prepare_inputs_for_generation(
        **inputs, past_key_values=None, use_cache=False, is_first_iteration=True
    )
    return {k: v for k, v in prepared.items() if v is not None and k not in ("use_cache", "past_key_values")}
