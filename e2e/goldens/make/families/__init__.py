"""The family folders by name: variant -> Checkpoint.

Variant 0 is what the repository keeps. Variant 1 has another structure (depths, head counts, head sizes, vocabulary, tied
or untied head, rotary bases, eps, patch and merge sizes).
"""

from collections.abc import Callable

from checkpoint import Checkpoint
from families.fast_vlm import fast_vlm
from families.gemma3 import gemma3, gemma3_resaved
from families.gemma4 import gemma4
from families.glm_ocr import glm_ocr
from families.granite_docling import granite_docling, idefics3
from families.internvl import internvl, internvl3_5, internvl_6b, internvl_resaved
from families.lfm2_vl import lfm2_vl
from families.lfm3_vl import lfm3_vl
from families.llava import llava, llava_resaved
from families.llava_next import llava_next
from families.llava_onevision import llava_onevision, llava_onevision_published
from families.minicpmv import minicpmv
from families.mllama import mllama
from families.paddleocr_vl import paddleocr_vl
from families.paligemma import paligemma, paligemma2
from families.pixtral import lighton_ocr, mistral3
from families.qwen3_5 import qwen3_5
from families.qwen_vl import qwen2_5_vl_published, qwen2_family, qwen3_vl, qwen3_vl_yarn
from families.smolvlm import smolvlm

FAMILIES: dict[str, Callable[[int], Checkpoint]] = {
    "smolvlm": smolvlm,
    "smolvlm-tiles": lambda variant: smolvlm(variant, tiles=True),
    "qwen2_vl": lambda variant: qwen2_family(variant, five=False),
    "qwen2_5_vl": lambda variant: qwen2_family(variant, five=True),
    "qwen2_5_vl-published": qwen2_5_vl_published,
    "qwen3_vl": qwen3_vl,
    "qwen3_vl-yarn": qwen3_vl_yarn,
    "qwen3_5": qwen3_5,
    "llava": llava,
    "llava-resaved": llava_resaved,
    "llava_onevision": llava_onevision,
    "llava_onevision-published": llava_onevision_published,
    "llava_next": llava_next,
    "internvl": internvl,
    "internvl-resaved": internvl_resaved,
    "internvl-6b": internvl_6b,
    "internvl3_5": internvl3_5,
    "gemma3": gemma3,
    "gemma3-resaved": gemma3_resaved,
    "gemma4": gemma4,
    "paligemma": paligemma,
    "paligemma2": paligemma2,
    "mllama": mllama,
    "lfm2_vl": lfm2_vl,
    "lfm3_vl": lfm3_vl,
    "minicpmv4_6": lambda variant: minicpmv(variant, canvas=False),
    "minicpmv4_7": lambda variant: minicpmv(variant, canvas=True),
    "glm_ocr": glm_ocr,
    "paddleocr_vl": paddleocr_vl,
    "lighton_ocr": lighton_ocr,
    "mistral3": mistral3,
    "fast_vlm": fast_vlm,
    "granite_docling": granite_docling,
    "idefics3": idefics3,
}
