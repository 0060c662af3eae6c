/** What an app gives a RoomAgent, and what it gets. */

import type { Cursor } from './board.js';
import type { AgentError } from './errors.js';
import type { FileToSend, ReceivedFile } from './files.js';
import type { CallDescription, Elicitation as Answered, ElicitationDescription, Notice } from './wire.js';

export type AgentState = 'initializing' | 'listening' | 'thinking' | 'speaking' | 'away';

export interface RoomAgentOptions {
  /** Identity of the agent (AGENT_IDENTITY); `agent` unless given. */
  identity?: string;
  /** First of REPLY_TOPICS; `llm-response` unless given. */
  replyTopic?: string;
  /** Topic on which other people's messages are read; `null` where something else in the app reads it, as
   * the hooks of components-react do. They come from the history then, with the agent's next answer. */
  chatTopic?: string | null;
}

export interface AskOptions {
  /** For the agent alone, and its answer for the asker alone. */
  private?: boolean;
  attachments?: readonly FileToSend[];
  /** From 0 to 1, of each attachment: how much the SDK has taken. */
  onProgress?: (attachment: number, fraction: number) => void;
  /** Id of an answer that this replies to. */
  replyTo?: string;
  /** Milliseconds until there has to be a whole answer; 330,000 unless given. */
  timeout?: number;
}

export interface ToolCall {
  readonly callId: string;
  readonly tool: string;
  readonly state: 'started' | 'progress' | 'finished';
  readonly text: string;
  readonly inReplyTo?: string;
  readonly progress?: number;
  readonly outcome?: 'ok' | 'error' | 'cancelled';
  readonly code?: number;
}

/** A call that the agent asks about; `timeout` are the seconds that there are to answer. `senderId` is empty where a worker
 * of a former version asks. */
export type Approval = CallDescription;

/** The end of a question whether a tool may run, for whoever was asked and for whom the call is. `cancelled`, too, where the
 * agent has left and has not asked again within 20 s, or another one asks about the same message. */
export interface ApprovalEnd {
  readonly callId: string;
  readonly tool: string;
  readonly outcome: 'approved' | 'refused' | 'unanswered' | 'cancelled';
  /** Identity of who decided. */
  readonly by?: string;
  readonly text: string;
}

/** A question of a tool's: fields to fill in by `schema`, or a page to open; `timeout` are the seconds that there are to
 * answer. The event `notice` says `elicitation.ended` when it is over. */
export type Elicitation = ElicitationDescription;

export type ElicitationAnswer = Answered;

export type Decision = boolean | { readonly approved: boolean; readonly reason?: string };

export interface Offer {
  readonly description: string;
  /** JSON schema of an object. */
  readonly parameters?: Readonly<Record<string, unknown>>;
  readonly handler: (args: Record<string, unknown>) => unknown;
}

export type { DescribedTool as ToolDescription, Thread } from './wire.js';

export interface RoomAgentEvents {
  /** The agent is there and its methods can be called; again when another one has taken over. */
  ready: readonly string[];
  state: AgentState;
  tool: ToolCall;
  approvalEnd: ApprovalEnd;
  file: ReceivedFile;
  cursor: Cursor;
  /** Any notice of the agent's, as it came. */
  notice: Notice;
  /** Something that the agent did not accept, or that could not be read. */
  error: AgentError;
}
