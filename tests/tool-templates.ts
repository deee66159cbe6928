import { type ChatModel, chatModel } from "../src/chat/model.ts";
import type { TokenGenerator } from "../src/engine/generation.ts";
import { compileGrammar } from "../src/grammar/compile-grammar.ts";
import { smolvlmProcessor } from "../src/models/smolvlm-processor.ts";
import { SAMPLE, decodePng, readCheckpoint } from "./chat-support.ts";

const CONTENT =
  "{% macro text(content) %}{% if content is string %}{{ content }}{% else %}{% for p in content %}" +
  "{{ p.text if p.type == 'text' else '<image>' }}{% endfor %}{% endif %}{% endmacro %}";

/** Templates that treat tools as those of model families do. */
export const TEMPLATES = {
  /** Qwen3-VL: Hermes' calls, reasoning, several results in one turn of the user. */
  qwen: `${CONTENT}{% if tools %}<|im_start|>system
{% if messages[0].role == 'system' %}{{ text(messages[0].content) }}

{% endif %}<tools>
{% for tool in tools %}{{ tool | tojson }}
{% endfor %}</tools>
<tool_call>
{"name": <function-name>, "arguments": <args-json-object>}
</tool_call><|im_end|>
{% elif messages[0].role == 'system' %}<|im_start|>system
{{ text(messages[0].content) }}<|im_end|>
{% endif %}{% for m in messages %}{% if m.role == 'user' %}<|im_start|>user
{{ text(m.content) }}<|im_end|>
{% elif m.role == 'assistant' %}<|im_start|>assistant
{% if m.reasoning_content %}<think>
{{ m.reasoning_content }}
</think>

{% endif %}{{ text(m.content) }}{% if m.tool_calls %}{% for c in m.tool_calls %}{% if m.content or not loop.first %}{{ '\\n' }}{% endif %}<tool_call>
{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}}
</tool_call>{% endfor %}{% endif %}<|im_end|>
{% elif m.role == 'tool' %}{% if loop.first or messages[loop.index0 - 1].role != 'tool' %}<|im_start|>user{% endif %}{{ '\\n' }}<tool_response>
{{ text(m.content) }}
</tool_response>{% if loop.last or messages[loop.index0 + 1].role != 'tool' %}<|im_end|>
{% endif %}{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% if enable_thinking is defined and enable_thinking is false %}<think>

</think>

{% elif reasoning_effort == 'max' %}<think>
{% endif %}{% endif %}`,

  /** Llama 3.2 Vision: one call a turn, and no system beside images. */
  llama: `${CONTENT}{% set ns = namespace(image=false) %}{% for m in messages %}{% if '<image>' in text(m.content) %}{% set ns.image = true %}{% endif %}{% endfor %}
{%- if messages[0].role == 'system' %}{% if ns.image %}{{ raise_exception('Prompting with images is incompatible with system messages.') }}{% endif %}<|system|>{{ text(messages[0].content) }}<|eot_id|>{% set messages = messages[1:] %}{% endif %}
{%- if tools is not none and not ns.image %}<|user|>Respond in the format {"name": function name, "parameters": dictionary of argument name and its value}.
{% for t in tools %}{{ t | tojson(indent=4) }}

{% endfor %}<|eot_id|>{% endif %}
{%- for m in messages %}{% if m.tool_calls %}{% if m.tool_calls | length != 1 %}{{ raise_exception('This model only supports single tool-calls at once!') }}{% endif %}<|assistant|>{"name": "{{ m.tool_calls[0].function.name }}", "parameters": {{ m.tool_calls[0].function.arguments | tojson }}}<|eot_id|>
{%- elif m.role == 'tool' %}<|ipython|>{{ text(m.content) }}<|eot_id|>{% else %}<|{{ m.role }}|>{{ text(m.content) }}<|eot_id|>{% endif %}{% endfor %}
{%- if add_generation_prompt %}<|assistant|>{% endif %}`,

  /** LFM2-VL: Python's calls, which it does not write itself. */
  lfm2: `${CONTENT}{% if tools %}<|im_start|>system
{% if messages[0].role == 'system' %}{{ text(messages[0].content) }}
{% set messages = messages[1:] %}{% endif %}List of tools: <|tool_list_start|>[{% for t in tools %}{{ t | tojson }}{{ ', ' if not loop.last }}{% endfor %}]<|tool_list_end|><|im_end|>
{% endif %}{% for m in messages %}<|im_start|>{{ m.role }}
{% if m.role == 'tool' %}<|tool_response_start|>{{ text(m.content) }}<|tool_response_end|>{% else %}{{ text(m.content) }}{% endif %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}`,

  /** Gemma 3: turns that alternate, and no roles but two. */
  gemma: `${CONTENT}{% set prefix = '' %}{% if messages[0].role == 'system' %}{% set prefix = text(messages[0].content) + '\\n\\n' %}{% set messages = messages[1:] %}{% endif %}{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate') }}{% endif %}<start_of_turn>{{ 'model' if m.role == 'assistant' else m.role }}
{{ prefix if loop.first }}{{ text(m.content) }}<end_of_turn>
{% endfor %}{% if add_generation_prompt %}<start_of_turn>model
{% endif %}`,

  /** Knows two roles, and refuses the others. */
  strict: `${CONTENT}{% for m in messages %}{% if m.role not in ['user', 'assistant'] %}{{ raise_exception('Unknown role ' + m.role) }}{% endif %}{{ m.role }}: {{ text(m.content) }}
{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}`,

  /** Says nothing of systems, and has developers. */
  developer: `${CONTENT}{% for m in messages %}{% if m.role == 'developer' %}[{{ text(m.content) }}]{% elif m.role != 'system' %}{{ m.role }}: {{ text(m.content) }}
{% endif %}{% endfor %}`,
} as const;

/** The sample checkpoint with another template, or its own, and more tokens. */
export function toolModel(
  generator: TokenGenerator,
  template?: keyof typeof TEMPLATES,
  tokens: readonly { content: string; special: boolean }[] = [],
): ChatModel {
  const files = { ...readCheckpoint(SAMPLE) };
  const json = files["tokenizer.json"] as { added_tokens: { id: number }[] };
  const first = Math.max(...json.added_tokens.map(({ id }) => id)) + 1;
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false };
  const added = tokens.map((token, i) => ({ id: first + i, ...flags, ...token }));
  return chatModel(
    {
      ...files,
      "tokenizer.json": { ...json, added_tokens: [...json.added_tokens, ...added] },
      ...(template && { "chat_template.jinja": TEMPLATES[template] }),
    },
    { generator, processor: smolvlmProcessor(files), decodeImage: decodePng, compileGrammar },
  );
}
