/** A message in the form that chat templates read. */
export interface TemplateMessage {
  readonly role: string;
  readonly content: string | readonly TemplatePart[];
  readonly name?: string;
  readonly reasoning_content?: string;
  readonly tool_calls?: readonly TemplateToolCall[];
  readonly tool_call_id?: string;
}

/** A tool call in the form that chat templates read: its arguments are an object, not JSON text. */
export interface TemplateToolCall {
  readonly id: string;
  readonly type: "function";
  readonly function: {
    readonly name: string;
    readonly arguments: Readonly<Record<string, unknown>>;
  };
}

export type TemplatePart =
  { readonly type: "text"; readonly text: string } | { readonly type: "image" };
