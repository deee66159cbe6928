"""What a family's module says about its checkpoint, and constants that several families share."""

from collections.abc import Callable
from dataclasses import dataclass, field

CLIP_MEAN, CLIP_STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
HALF = [0.5, 0.5, 0.5]
IMAGENET_MEAN, IMAGENET_STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
RESCALE = 0.00392156862745098


@dataclass
class Checkpoint:
    """Everything that is written to one folder, apart from the weights."""

    config: dict  # config.json as on the hub
    tokenizer: object
    tokenizer_config: dict
    special_tokens_map: dict
    template: str
    generation: dict  # generation_config.json
    processor_files: dict  # file name -> content
    eos: list[int]
    image_token: str
    seed: int = 1  # another one where this gives no clear greedy paths
    rename: list[tuple[str, str]] = field(default_factory=list)  # transformers' name -> hub name, first match wins
    plus_one_norms: bool = False  # norms multiply by 1 + weight
    template_file: str = "chat_template.jinja"  # or "chat_template.json"

    # Which conversations are recorded.
    system: bool = True  # the template takes system messages
    text_only: bool = True  # prompts without an image are possible
    multi_image: bool = True
    tiled: bool = False  # images are cut into tiles
    interleaved: bool = True  # text may come before an image
    parts_only: bool = False  # the template ignores string content: write text parts
    cases: list[str] | None = None  # only these cases
    more_cases: dict = field(default_factory=dict)  # case name -> (builder, range of max_tokens)
    more_picked: list[str] = field(default_factory=list)  # further cases whose tensors are recorded
    brief: bool = False  # record few tensors
    extra_kwargs: dict | None = None  # processor settings of the additional case in cases-fine.json
    record: Callable | None = None  # (reference, inputs, entry, eos, traced) -> more tensors of case `image`
    template_cases: Callable | None = None  # (reference) -> renderings of the chat template

    # How weights are drawn and stored.
    adjust: Callable | None = None  # (model, draw): values that weights.randomize does not choose well
    extra_tensors: Callable | None = None  # (model, draw) -> tensors of the file that no module reads
    separate_head: bool = False  # a head of its own in the file although the config asks for a tied one
    embed_std: float | None = None  # of untied token embeddings
    head_gain: float = 1.0  # factor of the head's rows
    eos_factor: float = 1.15  # how much longer the end token's row is than others, so that some path stops
    float32: str = "$^"  # hub names of tensors stored in float32
    shard: str | None = None  # file name of the only shard, published with an index
    resave: bool = False  # publish what transformers 5 saves after loading the folder
    other_names: Callable | None = None  # hub name -> name in apple/names.json

    # Limits of a good golden.
    least_margin: float = 0.05  # of wordings that are considered; a family's smallest must exceed 0.1
    f16_limit: float | None = None  # largest error of a recorded logit in a float16 run of the reference
    f16_hidden_limit: float | None = None  # the same for recorded text layers, relative to rms


@dataclass
class DeltaRuleCheckpoint(Checkpoint):
    """Stricter limits: a gated norm magnifies rounding errors where the delta rule's output happens to be almost zero, and
    such seeds make poor goldens."""

    least_margin: float = 0.1
    f16_limit: float | None = 0.1
    f16_hidden_limit: float | None = 0.12


def pad_to(size: int, multiple: int = 16, extra: int = 5) -> int:
    """Model vocabularies are larger than their tokenizers' on the hub; so they are here."""
    return -(-(size + extra) // multiple) * multiple


def special_ids(tokenizer) -> list[int]:
    return sorted(tokenizer.get_added_tokens_decoder())


def brief(checkpoint: Checkpoint, cases: list[str]) -> Checkpoint:
    """The checkpoint with few cases and few recorded tensors."""
    checkpoint.cases, checkpoint.brief = cases, True
    return checkpoint


def unread(shapes: dict[str, tuple]) -> Callable:
    """Tensors of the published file that no module reads: small random values under hub names."""
    return lambda model, draw: {name: draw(name, shape, 0.1) for name, shape in shapes.items()}
