"""sample/cases.json: what the reference answers with the sample model (public/models/sample) to its conversations.

The conversations, the images and the right answers (`expected`) are given, not made. `prompt` is the rendered template,
whose image placeholders are not expanded.
"""

import json
from pathlib import Path

from files import write_rows
from reference import Reference, to_hugging_face

SAMPLE = Path(__file__).resolve().parents[3] / "public" / "models" / "sample"


def write(out: Path, root: Path) -> None:
    """Records all conversations of root/sample/cases.json again, into `out`."""
    given = root / "sample"
    reference = Reference(SAMPLE, given)
    eos = json.loads((SAMPLE / "generation_config.json").read_text())["eos_token_id"]
    cases = []
    for case in json.loads((given / "cases.json").read_text()):
        inputs, _, _ = reference.inputs(case["messages"])
        ids, margins, _ = reference.generate(inputs, 120, [eos])
        conversation, _ = to_hugging_face(case["messages"], given)
        prompt = reference.processor.apply_chat_template(conversation, add_generation_prompt=True, tokenize=False)
        text = reference.processor.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        cases.append({
            "messages": case["messages"], "prompt": prompt, "input_ids": inputs["input_ids"][0].tolist(),
            "output_ids": ids, "text": text.strip(), "expected": case["expected"], "margin": round(min(margins), 4),
        })  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    write_rows(out / "cases.json", cases)
