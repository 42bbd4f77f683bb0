/** The wire dialect a client speaks to us. */
export type Dialect = "openai" | "anthropic";

/** The body field that carries the client's bound on generated tokens. */
export type OutputLimitField = "max_tokens" | "max_completion_tokens";

/**
 * What the gateway must know of a request body, and the body itself. Everything else in it belongs to the client and the
 * provider, and passes through byte for byte.
 */
export type ParsedCall = {
  readonly dialect: Dialect;
  /** The body as it arrived. Valid JSON whose root is an object. */
  readonly body: Buffer;
  /** The model as the client names it: 1 to 256 characters. */
  readonly model: string;
  readonly stream: boolean;
  /** The client itself asked for the usage chunk of an OpenAI stream. Always true for dialects that need not be asked. */
  readonly includeUsageAsked: boolean;
  /** The body has a `stream_options` object, which an edit must merge into instead of replacing. */
  readonly hasStreamOptions: boolean;
  /** The client's bound on generated tokens, for each choice. Undefined when it set none. */
  readonly outputLimit: number | undefined;
  /** The field `outputLimit` came from; undefined when the client set none. */
  readonly outputLimitField: OutputLimitField | undefined;
  /** The least output limit the provider accepts for this body: a thinking budget must fit below the limit. */
  readonly outputFloor: number;
  /** Completions asked for (`n`), each of which may use the whole output limit. */
  readonly choices: number;
  readonly prompt: PromptShape;
};

/** The parts of a prompt that are not counted as text. */
export type PromptShape = Readonly<PromptTally>;

/** A prompt's shape while it is being counted. */
export type PromptTally = {
  images: number;
  /** Characters of base64 audio. */
  audioChars: number;
  /** PDFs and uploaded files, whose tokens no byte count bounds. */
  documents: number;
  /** Tools the client defines itself. */
  tools: number;
  /** Tools the client runs and the provider describes (shell, editor, computer). */
  builtinTools: number;
  /** Tools the provider runs itself, adding their results to the prompt (web search, code execution). */
  providerTools: number;
  /** Bytes of the body that are inline images, audio and documents, and so are no text. */
  mediaBytes: number;
};

/** A body that cannot be billed, and so is refused: which field, and what is wrong with it, for the client to read. */
export type CallFault = {
  readonly kind: "fault";
  /** The path of the field, for example `stream_options.include_usage`; `body` for the whole. */
  readonly field: string;
  readonly message: string;
};

/** The outcome of reading a request body. */
export type ReadCall = { readonly kind: "call"; readonly call: ParsedCall } | CallFault;
