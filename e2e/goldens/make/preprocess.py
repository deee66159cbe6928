"""preprocess/: what the image processors make of the test images with each family's published settings."""

import json
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers import AutoImageProcessor

from checkpoint import CLIP_MEAN, CLIP_STD, HALF, IMAGENET_MEAN, IMAGENET_STD, RESCALE
from families import FAMILIES
from files import write_json, write_rows
from folder import write_files
from reference import classes, load_image

COMMON = {
    "do_convert_rgb": True,
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "rescale_factor": RESCALE,
}
PINPOINTS = [[384 * a, 384 * b] for a in range(1, 7) for b in range(1, 7)]
DOCUMENT_PINPOINTS = [[384 * a, 384 * b] for a in range(1, 11) for b in range(1, 11) if a * b <= 10]
ANYRES = [[336, 672], [672, 336], [672, 672], [1008, 336], [336, 1008]]


def half(kind: str, **more) -> dict:
    return {**COMMON, "image_mean": HALF, "image_std": HALF, "image_processor_type": kind, **more}


def clip(kind: str, **more) -> dict:
    return {**COMMON, "image_mean": CLIP_MEAN, "image_std": CLIP_STD, "image_processor_type": kind, **more}


def smolvlm(tile: int, longest: int, split: bool) -> dict:
    return half("SmolVLMImageProcessor", do_image_splitting=split, do_pad=True, max_image_size={"longest_edge": tile},
                resample=1, size={"longest_edge": longest})  # fmt: skip


def qwen(**more) -> dict:
    return {"temporal_patch_size": 2, "merge_size": 2, "image_processor_type": "Qwen2VLImageProcessor", **more}


def gemma4(tokens: int) -> dict:
    return {**COMMON, "do_normalize": False, "image_mean": [0.0, 0.0, 0.0], "image_std": [1.0, 1.0, 1.0],
            "image_processor_type": "Gemma4ImageProcessor", "image_seq_length": tokens, "max_soft_tokens": tokens,
            "patch_size": 16, "pooling_kernel_size": 3, "resample": 3}  # fmt: skip


PIXTRAL = clip("PixtralImageProcessorFast", do_pad=True, patch_size=14, resample=3, size={"longest_edge": 1540})

# name -> (family folder that lends its processor, preprocessor_config.json, processor attributes)
PUBLISHED = {
    "smolvlm-256m-500m": ("smolvlm-tiles", smolvlm(512, 2048, True), {"image_seq_len": 64}),
    "smolvlm-256m-500m-one-tile": ("smolvlm", smolvlm(512, 2048, False), {"image_seq_len": 64}),
    "smolvlm-2.2b": ("smolvlm-tiles", smolvlm(384, 1536, True), {"image_seq_len": 81}),
    "qwen2_5_vl": ("qwen2_5_vl", qwen(min_pixels=3136, max_pixels=12845056, patch_size=14, image_mean=CLIP_MEAN,
                                      image_std=CLIP_STD), {}),
    "qwen2_vl": ("qwen2_vl", qwen(min_pixels=3136, max_pixels=12845056, patch_size=14, image_mean=CLIP_MEAN,
                                  image_std=CLIP_STD), {}),
    "qwen3_vl": ("qwen3_vl", qwen(size={"longest_edge": 16777216, "shortest_edge": 65536}, patch_size=16,
                                  image_mean=HALF, image_std=HALF, image_processor_type="Qwen2VLImageProcessorFast"), {}),
    "llava_onevision": ("llava_onevision", half("LlavaOnevisionImageProcessor", do_pad=True, resample=3,
                                                image_grid_pinpoints=PINPOINTS, size={"height": 384, "width": 384}),
                        {"num_image_tokens": 729, "vision_aspect_ratio": "anyres_max_9"}),
    "gemma3": ("gemma3", {**half("Gemma3ImageProcessor", resample=2, size={"height": 896, "width": 896},
                                 image_seq_length=256), "do_convert_rgb": None}, {"image_seq_length": 256}),
    # Small sizes, so that small images are cut into crops.
    "gemma3-pan-and-scan": ("gemma3", {
        **half("Gemma3ImageProcessor", resample=2, size={"height": 224, "width": 224}, image_seq_length=256,
               do_pan_and_scan=True, pan_and_scan_min_crop_size=32, pan_and_scan_max_num_crops=4,
               pan_and_scan_min_ratio_to_activate=1.2), "do_convert_rgb": None}, {"image_seq_length": 256}),
    "mllama": ("mllama", clip("MllamaImageProcessor", do_pad=True, max_image_tiles=4, resample=2,
                              size={"height": 560, "width": 560}), {}),
    "internvl": ("internvl", {**COMMON, "image_mean": IMAGENET_MEAN, "image_std": IMAGENET_STD, "crop_to_patches": False,
                              "image_processor_type": "GotOcr2ImageProcessorFast", "max_patches": 12, "min_patches": 1,
                              "resample": 3, "size": {"height": 448, "width": 448}}, {"image_seq_length": 256}),
    "llava": ("llava", clip("CLIPImageProcessor", crop_size={"height": 336, "width": 336}, do_center_crop=True,
                            resample=3, size={"shortest_edge": 336}), {"patch_size": 14}),
    "paligemma": ("paligemma", {**half("SiglipImageProcessor", resample=3, size={"height": 224, "width": 224},
                                       image_seq_length=256), "do_convert_rgb": None}, {"image_seq_length": 256}),
    "lfm2_vl": ("lfm2_vl", half("Lfm2VlImageProcessorFast", do_pad=True, resample=2, size={"height": 512, "width": 512},
                                do_image_splitting=True, downsample_factor=2, encoder_patch_size=16, max_image_tokens=256,
                                max_num_patches=1024, max_pixels_tolerance=2.0, max_tiles=10, min_image_tokens=64,
                                min_tiles=2, tile_size=512, use_thumbnail=True), {}),
    "qwen3_5": ("qwen3_5", qwen(size={"longest_edge": 16777216, "shortest_edge": 65536}, patch_size=16,
                                image_mean=HALF, image_std=HALF, image_processor_type="Qwen2VLImageProcessorFast"), {}),
    "gemma4": ("gemma4", gemma4(280), {}),
    "gemma4-70": ("gemma4", gemma4(70), {}),
    "gemma4-1120": ("gemma4", gemma4(1120), {}),
    # Published limits unknown: the class defaults.
    "lfm3_vl-guess": ("lfm3_vl", qwen(size={"longest_edge": 1003520, "shortest_edge": 3136}, patch_size=16,
                                      image_mean=HALF, image_std=HALF), {}),
    "minicpmv4_6": ("minicpmv4_6", {
        "image_processor_type": "MiniCPMV4_6ImageProcessor", "image_mean": HALF, "image_std": HALF, "max_slice_nums": 9,
        "patch_size": 14, "scale_resolution": 448, "slice_mode": True, "use_image_id": True}, {}),
    "glm_ocr": ("glm_ocr", {"size": {"shortest_edge": 12544, "longest_edge": 9633792}, "do_rescale": True, "patch_size": 14,
                            "temporal_patch_size": 2, "merge_size": 2, "image_mean": CLIP_MEAN, "image_std": CLIP_STD,
                            "image_processor_type": "Glm46VImageProcessor"}, {}),
    "paddleocr_vl-1.0": ("paddleocr_vl", half("PaddleOCRVLImageProcessor", min_pixels=147384, max_pixels=2822400,
                                              merge_size=2, patch_size=14, resample=3, temporal_patch_size=1), {}),
    "paddleocr_vl-1.5": ("paddleocr_vl", half("PaddleOCRVLImageProcessor", min_pixels=112896, max_pixels=1003520,
                                              merge_size=2, patch_size=14, resample=3, temporal_patch_size=1), {}),
    "lighton_ocr": ("lighton_ocr", PIXTRAL, {"patch_size": 14, "spatial_merge_size": 2, "effective_patch_size": 28}),
    "mistral3": ("mistral3", PIXTRAL, {"patch_size": 14, "spatial_merge_size": 2}),
    "llava_next": ("llava_next", clip("LlavaNextImageProcessor", aspect_ratio_setting="anyres", do_center_crop=True,
                                      do_pad=True, crop_size={"height": 336, "width": 336}, image_grid_pinpoints=ANYRES,
                                      resample=3, size={"shortest_edge": 336}),
                   {"patch_size": 14, "num_additional_image_tokens": 1, "vision_feature_select_strategy": "default"}),
    "granite_vision": ("llava_next", half("LlavaNextImageProcessor", crop_size={"height": 384, "width": 384},
                                          do_center_crop=True, do_pad=True, image_grid_pinpoints=DOCUMENT_PINPOINTS,
                                          resample=3, size={"height": 384, "width": 384}),
                       {"patch_size": 14, "num_additional_image_tokens": 0, "vision_feature_select_strategy": "full"}),
    "fast_vlm": ("fast_vlm", {**clip("CLIPImageProcessor", crop_size={"height": 1024, "width": 1024}, do_center_crop=True,
                                     resample=3, size={"shortest_edge": 1024}),
                              "image_mean": [0.0, 0.0, 0.0], "image_std": [1.0, 1.0, 1.0]}, {"patch_size": 64}),
    "granite_docling": ("granite_docling", half("GraniteDoclingImageProcessor", crop_to_patches=True, max_patches=32,
                                                min_patches=1, resample=3, size={"height": 512, "width": 512}),
                        {"image_seq_len": 64}),
    "granite-docling-258m": ("idefics3", half("Idefics3ImageProcessor", do_image_splitting=True, do_pad=True, resample=1,
                                              max_image_size={"longest_edge": 512}, size={"longest_edge": 2048}),
                             {"image_seq_len": 64}),
}  # fmt: skip

# Only these images; the others would repeat what they test.
IMAGES = {"gemma3-pan-and-scan": ("text.png", "wide.png", "tall.png", "odd.png", "tiny.png", "exact.png")}

# What a prompt has for an image, if not "<image>", and the token that is counted, if another.
IMAGE_MARK = {"qwen2_5_vl": "<|vision_start|><|image_pad|><|vision_end|>", "qwen2_vl": "<|image_pad|>",
              "qwen3_vl": "<|image_pad|>", "gemma3": "<start_of_image>", "mllama": "<|image|>",
              "internvl": "<IMG_CONTEXT>", "qwen3_5": "<|image_pad|>", "gemma4": "<|image|>", "lfm3_vl": "<|image_pad|>",
              "minicpmv4_6": "<|image_pad|>", "glm_ocr": "<|image|>", "paddleocr_vl": "<|IMAGE_PLACEHOLDER|>",
              "lighton_ocr": "<|image_pad|>", "mistral3": "[IMG]"}  # fmt: skip
COUNTED = {"qwen2_5_vl": "<|image_pad|>", "gemma3": "<image_soft_token>"}


# What a processor says about its tiles, under its own names.
LAYOUT = (
    "image_grid_thw", "rows", "cols", "image_sizes", "num_patches", "aspect_ratio_ids", "aspect_ratio_mask", "num_tiles",
    "spatial_shapes", "batch_num_images", "num_crops", "target_sizes", "grids", "patch_grid", "num_soft_tokens_per_image",
)  # fmt: skip


def image_processor(config: dict):
    """Builds the image processor that `from_pretrained` gives for a published preprocessor_config.json."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "preprocessor_config.json").write_text(json.dumps(config))
        return AutoImageProcessor.from_pretrained(folder)


def family_processor(folder: str, config: dict, attributes: dict):
    """The processor of a family folder with published settings of its image processor."""
    with tempfile.TemporaryDirectory() as scratch:
        write_files(Path(scratch), FAMILIES[folder](0))
        processor = classes(Path(scratch))[2].from_pretrained(scratch)
    processor.image_processor = image_processor(config)
    for key, value in attributes.items():
        setattr(processor, key, value)
    if folder == "gemma3":
        tokenizer = processor.tokenizer
        soft = tokenizer.image_token * attributes["image_seq_length"]
        processor.full_image_sequence = f"\n\n{tokenizer.boi_token}{soft}{tokenizer.eoi_token}\n\n"
    return processor


def preprocess(name: str, processor, image, config: dict):
    """The image processor's output for one image, with the arguments that the family's processor passes."""
    kind, more = config["image_processor_type"], {}
    if "GotOcr2" in kind:
        more = {"crop_to_patches": True}
    if "Gemma3" in kind:
        more = {"do_convert_rgb": True, "do_pan_and_scan": False, "pan_and_scan_min_crop_size": 256,
                "pan_and_scan_max_num_crops": 4, "pan_and_scan_min_ratio_to_activate": 1.2}  # fmt: skip
        more.update({key: value for key, value in config.items() if "pan_and_scan" in key})
    if name.startswith(("smolvlm", "granite-docling-258m")):
        more = {"return_row_col_info": True}
    if name == "mistral3":
        more = {"patch_size": 28}  # the processor multiplies by spatial_merge_size
    nested = kind.startswith(("SmolVLM", "Mllama", "Gemma3", "Idefics3", "GraniteDocling"))
    result = processor([[image]] if nested else [image], return_tensors="pt", **more)
    if kind.startswith("Lfm2"):
        layout = processor([image], return_row_col_info=True, return_tensors="pt")
        result["rows"], result["cols"] = layout["image_rows"], layout["image_cols"]
        result["image_sizes"] = layout["image_sizes"]
    return result


def real_patches(result):
    """(pixel values without Gemma 4's padding patches, their shape with it); also notes the patch grid."""
    values = torch.as_tensor(np.asarray(result["pixel_values"]), dtype=torch.float32)
    if "image_position_ids" not in result:
        return values, None
    positions = torch.as_tensor(np.asarray(result["image_position_ids"]))
    columns, rows = (positions[0].amax(dim=0) + 1).tolist()
    result["patch_grid"] = [rows, columns]
    return values[:, : rows * columns], list(values.shape)


def plain(value):
    """Tensors and arrays as lists of numbers."""
    return value.tolist() if hasattr(value, "tolist") else value


def describe(name: str, processor, file: Path, index: int) -> dict:
    """One row of cases.json: the layout, and 64 of the values."""
    folder, config, _ = PUBLISHED[name]
    image = load_image(file)
    result = preprocess(name, processor.image_processor, image, config)
    values, padded = real_patches(result)
    flat = values.reshape(-1)
    rng = np.random.default_rng([1, index])
    indices = sorted({0, len(flat) - 1, *(int(i) for i in rng.integers(0, len(flat), 62))})
    mark = IMAGE_MARK.get(folder, "<image>")
    crops = {key: value for key, value in config.items() if "pan_and_scan" in key}
    encoded = processor(text=mark, images=[image], return_tensors="pt", **crops)
    counted = processor.tokenizer.convert_tokens_to_ids(COUNTED.get(folder, mark))
    return {
        "family": name, "image": file.name, "width": image.width, "height": image.height,
        **{key: plain(result[key]) for key in LAYOUT if key in result}, **({"padded_shape": padded} if padded else {}),
        "image_token_count": int((encoded["input_ids"] == counted).sum()), "shape": list(values.shape),
        "mean": round(float(flat.double().mean()), 6), "std": round(float(flat.double().std()), 6),
        "indices": indices, "values": [round(float(flat[i]), 6) for i in indices],
    }  # fmt: skip


# Sizes of images that are very small, or very long and narrow.
EXTREMES = [(1, 1), (2, 2), (3000, 10), (10000, 1), (1, 10000), (20000, 2)]


def extremes(name: str, processor) -> list[dict]:
    """Image tokens of images of extreme sizes; null where the reference refuses the proportions."""
    folder, config, _ = PUBLISHED[name]
    mark = IMAGE_MARK.get(folder, "<image>")
    counted = processor.tokenizer.convert_tokens_to_ids(COUNTED.get(folder, mark))
    crops = {key: value for key, value in config.items() if "pan_and_scan" in key}
    rows = []
    for width, height in EXTREMES:
        if "llava" in folder and max(width, height) > 1000 * min(width, height):
            continue  # the reference resizes the whole image, which takes gigabytes
        row = {"family": name, "width": width, "height": height}
        try:
            encoded = processor(text=mark, images=[Image.new("RGB", (width, height))], return_tensors="pt", **crops)
            rows.append({**row, "image_token_count": int((encoded["input_ids"] == counted).sum())})
        except ValueError:
            rows.append({**row, "image_token_count": None})
    return rows


def write(out: Path, root: Path, folders: list[str]) -> None:
    """Writes cases.json, extremes.json and settings.json to `out`, for the published settings of the families in `folders`.

    Args:
        root: holds images/ and images.json.
    """
    out.mkdir(parents=True, exist_ok=True)
    files = [root / "images" / row["file"] for row in json.loads((root / "images.json").read_text())]
    cases, narrow, settings = [], [], {}
    for name, (folder, config, attributes) in PUBLISHED.items():
        if folder not in folders:
            continue
        processor = family_processor(folder, config, attributes)
        kind = type(processor.image_processor).__name__
        settings[name] = {"preprocessor_config": config, "class": kind, **attributes}
        narrow += extremes(name, processor)
        for index, file in enumerate(files):
            if folder == "paligemma" and load_image(file).mode != "RGB":
                continue  # do_convert_rgb is null on the hub: the reference fails on such images
            if name in IMAGES and file.name not in IMAGES[name]:
                continue
            cases.append(describe(name, processor, file, index))
    write_rows(out / "cases.json", cases)
    write_rows(out / "extremes.json", narrow)
    write_json(out / "settings.json", settings)
