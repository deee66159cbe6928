"""Tiny tokenizers of the same kind as each family's real one, trained on a few lines of text."""

import json

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

QWEN2_REGEX = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
LLAMA3_REGEX = QWEN2_REGEX.replace(r"\p{N}|", r"\p{N}{1,3}|")
UPPER, LOWER = r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}", r"\p{Ll}\p{Lm}\p{Lo}\p{M}"
TEKKEN_REGEX = (
    rf"[^\r\n\p{{L}}\p{{N}}]?[{UPPER}]*[{LOWER}]+|[^\r\n\p{{L}}\p{{N}}]?[{UPPER}]+[{LOWER}]*|\p{{N}}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

CORPUS = """
What is shown in this image? Describe the picture in detail, please. How many shapes can you see here?
Look at the first image and then compare it with the second image. Which one is larger, and which one is brighter?
The quick brown fox jumps over the lazy dog while seven wizards quietly mix a blazing potion of green and red.
You are a helpful assistant. Answer briefly and do not guess. I don't know what you've seen; she'll ask if they're here.
There are 3 circles, 12 squares and 1,024 pixels; the year was 1998 and the price is $45.60 (about 50%).
def read(path):\n    with open(path, "rb") as file:\n        return file.read()\n\n# done\nfor (let i = 0; i < 10; i++) { sum += data[i]; }
A red circle is above the blue square. A thin line runs from the left corner to the right corner of the frame.
Text in the picture: HELLO WORLD, Stop, Exit, Open 24 hours. Read every word aloud. Is there anything written on it?
Die Katze sitzt auf dem Tisch und sieht den Vogel an. Le chat est assis sur la table. El gato duerme en la casa.
naïve café déjà vu über groß señor façade coöperate Ångström Zürich São Paulo
猫がテーブルの上に座っています。 这张图片里有什么？ 请描述一下。 이 그림에는 무엇이 있나요? Что на картинке? Γειά σου
user assistant system model Assistant User: Answer: Question: yes no maybe left right top bottom centre
colour shape size number letter digit house tree river mountain sky cloud window door street light dark
the of and to in a is that for it as was with be by on not he his but at are this have from or had an they which
    indented text\n\n\ttabbed text\n\n\nend of the lines   spaces   in   between
""".replace("\\n", "\n").replace("\\t", "\t")


def _train(pre_tokenizer, normalizer, size: int, alphabet: list[str]):
    """Trains a BPE model and returns (symbols in order, merges)."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(CORPUS.split("\n\n\n"), trainer)
    model = json.loads(tokenizer.to_str())["model"]
    merges = [tuple(m) if isinstance(m, list) else tuple(m.split(" ")) for m in model["merges"]]
    symbols = [s for s, _ in sorted(model["vocab"].items(), key=lambda item: item[1])]
    return symbols, merges


def byte_level(
    size: int,
    regex: str | None,
    first: list[str],
    last: list[str],
    bos: str | None = None,
    nfc: bool = False,
    digits: bool = False,
    ignore_merges: bool = False,
    plain: tuple = (),
) -> Tokenizer:
    """Byte-level BPE. `first` special tokens get the lowest ids, `last` follow the vocabulary; `plain` are not special."""
    if regex is not None:
        split = pre_tokenizers.Split(Regex(regex), behavior="isolated", invert=False)
        pre = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    elif digits:
        pre = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        )
    else:
        pre = pre_tokenizers.ByteLevel(add_prefix_space=False)
    normalizer = normalizers.NFC() if nfc else None
    symbols, merges = _train(pre, normalizer, size, sorted(pre_tokenizers.ByteLevel.alphabet()))
    vocab = {token: i for i, token in enumerate(first + symbols)}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, ignore_merges=ignore_merges))
    tokenizer.pre_tokenizer = pre
    if nfc:
        tokenizer.normalizer = normalizer
    tokenizer.decoder = decoders.ByteLevel()
    for token in first + last:
        add = tokenizer.add_tokens if token in plain else tokenizer.add_special_tokens
        add([AddedToken(token, special=token not in plain, normalized=False)])
    level = processors.ByteLevel(trim_offsets=False)
    if bos is None:
        tokenizer.post_processor = level
    else:
        template = processors.TemplateProcessing(
            single=f"{bos} $A", pair=f"{bos} $A {bos}:1 $B:1", special_tokens=[(bos, tokenizer.token_to_id(bos))]
        )
        tokenizer.post_processor = processors.Sequence([level, template])
    return tokenizer


def byte_fallback(
    size: int, first: list[str], last: list[str], bos: str, unk: str, prepend: bool, plain: tuple = ()
) -> Tokenizer:
    """SentencePiece-style BPE with byte fallback: Llama 2 (`prepend`: a leading metaspace) or Gemma (without)."""
    pre = pre_tokenizers.Metaspace(prepend_scheme="never", split=True)
    symbols, merges = _train(pre, None, size, [])
    symbols = [s for s in symbols if s not in first]
    bytes_ = [f"<0x{b:02X}>" for b in range(256)]
    vocab = {token: i for i, token in enumerate(first + bytes_ + symbols)}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, unk_token=unk, fuse_unk=True, byte_fallback=True))
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    if prepend:
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        steps.append(decoders.Strip(" ", 1, 0))
    else:
        tokenizer.normalizer = normalizers.Replace(" ", "▁")
        tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", behavior="merged_with_previous", invert=False)
    tokenizer.decoder = decoders.Sequence(steps)
    for token in first + last:
        add = tokenizer.add_tokens if token in plain else tokenizer.add_special_tokens
        add([AddedToken(token, special=token not in plain, normalized=False)])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A", pair=f"{bos} $A {bos}:1 $B:1", special_tokens=[(bos, tokenizer.token_to_id(bos))]
    )
    return tokenizer


def without_post_processor(tokenizer: Tokenizer) -> Tokenizer:
    """The tokenizer without a leading bos."""
    content = json.loads(tokenizer.to_str())
    content["post_processor"] = None
    return Tokenizer.from_str(json.dumps(content))


def added_tokens_decoder(tokenizer: Tokenizer) -> dict:
    """The `added_tokens_decoder` table of tokenizer_config.json."""
    rows = {}
    for entry in json.loads(tokenizer.to_str())["added_tokens"]:
        entry = dict(entry)
        rows[str(entry.pop("id"))] = entry
    return rows
