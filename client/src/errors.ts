/** The errors of the agent and of the SDK. */

/** Codes of docs/wire-contract.md, "RPC methods" and "What is not accepted", and LiveKit's own (1001–1999). */
export type AgentErrorCode = number;

export interface AgentErrorOptions {
  /** Seconds after which a retry may succeed. */
  retryAfter?: number | undefined;
  /** Expected values, by name of the argument. */
  fields?: Readonly<Record<string, string>> | undefined;
  /** The error's `data`, as received. */
  data?: string | undefined;
  cause?: unknown;
}

export class AgentError extends Error {
  override readonly name = 'AgentError';
  readonly code: AgentErrorCode;
  readonly retryAfter: number | undefined;
  readonly fields: Readonly<Record<string, string>> | undefined;
  readonly data: string | undefined;

  constructor(code: AgentErrorCode, message: string, options: AgentErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryAfter = options.retryAfter;
    this.fields = options.fields;
    this.data = options.data;
  }

  /** Whether a later retry may succeed: the agent or a service is busy, unavailable, or too slow. */
  get isTemporary(): boolean {
    return this.retryAfter !== undefined || [408, 429, 503, 504, 1502].includes(this.code);
  }
}

/** Converts an RpcError of livekit-client or @livekit/rtc-node to an AgentError; returns other values unchanged. */
export function asAgentError(error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'number') return error;
  const data = 'data' in error && typeof error.data === 'string' ? error.data : undefined;
  const { retryAfter, fields } = parseObject(data ?? '') as { retryAfter?: number; fields?: Record<string, string> };
  return new AgentError(error.code, error.message, { retryAfter, fields, data, cause: error });
}

/** Parses a JSON object that somebody sent; returns an empty one if the text is not one. */
export function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : {};
  } catch {
    return {};
  }
}
