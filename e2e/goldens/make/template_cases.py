"""Renderings of a chat template with tools, tool answers and thoughts."""

from conversations import text

TOOLS = [
    {"type": "function", "function": {
        "name": "find_shape", "description": "Finds a shape in a picture.",
        "parameters": {"type": "object", "required": ["kind"], "properties": {
            "kind": {"type": "string", "description": "Kind of shape", "enum": ["circle", "square"]},
            "limits": {"type": "array", "items": {"type": "number"}, "description": "Bounds"},
            "exact": {"type": "boolean"},
            "area": {"type": "object", "properties": {"x": {"type": "integer"}, "y": {"type": "integer"}},
                     "required": ["x"]},
        }}}},
    {"type": "function", "function": {
        "name": "now", "description": "Tells the time.", "parameters": {"type": "object", "properties": {}}}},
]  # fmt: skip


def _call(identifier: str, name: str, arguments: dict) -> dict:
    return {"id": identifier, "type": "function", "function": {"name": name, "arguments": arguments}}


def render_templates(reference) -> list[dict]:
    """Renderings of the chat template with its tool and thinking branches; image placeholders are not expanded."""
    image = {"type": "image"}
    calls = [
        {"role": "user", "content": [image, text("Find a circle, please.")]},
        {"role": "assistant", "content": "", "reasoning_content": "A circle is asked for.", "tool_calls": [
            _call("c1", "find_shape", {"kind": "circle", "limits": [1, 2.5], "exact": True, "area": {"x": 3}}),
            _call("c2", "now", {})]},
        {"role": "tool", "tool_call_id": "c1", "content": "at 12, 30"},
        {"role": "tool", "tool_call_id": "c2", "content": [text("noon")]},
    ]  # fmt: skip
    thoughtful = [
        {"role": "user", "content": "  Hello there "},
        {"role": "assistant", "content": "<think>\nA greeting.\n</think>\n\n Good day. "},
        {"role": "user", "content": [text(" Again"), image, text(" and "), image, text(". ")]},
    ]  # fmt: skip
    channel = [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "<|channel>thought\nA greeting.<channel|>Good day."},
        {"role": "user", "content": "Again"},
    ]
    conversations = [
        ("plain", [{"role": "user", "content": "Hello"}], {}),
        ("no_generation_prompt", thoughtful, {"add_generation_prompt": False}),
        ("thoughts", thoughtful, {}),
        ("channel", channel, {}),
        ("thinking", [{"role": "system", "content": " Be brief. "}, *thoughtful], {"enable_thinking": True}),
        ("not_thinking", thoughtful, {"enable_thinking": False}),
        ("vision_ids", thoughtful, {"add_vision_id": True}),
        ("system_parts", [{"role": "system", "content": [text("Be brief."), text(" Be kind.")]}, *thoughtful[:1]], {}),
        ("tools", calls[:1], {"tools": TOOLS}),
        ("tools_system", [{"role": "system", "content": "Be brief."}, *calls[:1]], {"tools": TOOLS}),
        ("tool_calls", calls[:2], {"tools": TOOLS, "add_generation_prompt": False}),
        ("tool_answers", calls, {"tools": TOOLS}),
        ("tool_answers_thinking", calls, {"tools": TOOLS, "enable_thinking": True}),
        ("after_tools", [*calls, {"role": "assistant", "content": "At 12, 30."}, {"role": "user", "content": "Thanks"}],
         {"tools": TOOLS}),
    ]  # fmt: skip
    rows = []
    for name, messages, options in conversations:
        options = {"add_generation_prompt": True, **options}
        try:
            prompt = reference.processor.apply_chat_template(messages, tokenize=False, **options)
        except Exception as error:  # a branch that the family's template refuses
            rows.append({"name": name, "messages": messages, "options": options, "error": str(error)})
            continue
        rows.append({"name": name, "messages": messages, "options": options, "prompt": prompt})
    return rows
