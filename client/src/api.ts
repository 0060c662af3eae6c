/** The types of RoomAgent's options, arguments and events. */

import type { Cursor } from './board.js';
import type { AgentError } from './errors.js';
import type { FileToSend, ReceivedFile } from './files.js';
import type { CallDescription, Elicitation as Answered, ElicitationDescription, Notice } from './wire.js';

export type AgentState = 'initializing' | 'listening' | 'thinking' | 'speaking' | 'away';

export interface RoomAgentOptions {
  /** Identity of the agent (AGENT_IDENTITY); `agent` by default. */
  identity?: string;
  /** First of REPLY_TOPICS; `llm-response` by default. */
  replyTopic?: string;
  /** Topic of other participants' messages; `null` if other code of the app reads it, such as the hooks of
   * components-react. Those messages then come from the history, with the agent's next answer. */
  chatTopic?: string | null;
}

export interface AskOptions {
  /** Only the agent gets the message, and only the asker its answer. */
  private?: boolean;
  attachments?: readonly FileToSend[];
  /** Called with the fraction of each attachment that the SDK has accepted, from 0 to 1. */
  onProgress?: (attachment: number, fraction: number) => void;
  /** Id of the answer that this message replies to. */
  replyTo?: string;
  /** Milliseconds until the answer must be complete; 330,000 by default. */
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

/** A call that needs approval; `timeout`: seconds to answer. `senderId` is empty if a worker of an earlier version asks. */
export type Approval = CallDescription;

/** The end of a request for approval, for those who were asked and the participant whom the call is for. It is `cancelled`,
 * too, if the agent has left and has not asked again within 20 s, or another agent asks about the same message. */
export interface ApprovalEnd {
  readonly callId: string;
  readonly tool: string;
  readonly outcome: 'approved' | 'refused' | 'unanswered' | 'cancelled';
  /** Identity of the participant who decided. */
  readonly by?: string;
  readonly text: string;
}

/** A question of a tool's: fields to fill in by `schema`, or a page to open; `timeout` are the seconds that there are to
 * answer. The event `elicitationEnd` tells when it is over. */
export type Elicitation = ElicitationDescription;

export type ElicitationAnswer = Answered;

/** The end of a question of a tool. `cancelled` if the call was cancelled, and as for approvals. */
export interface ElicitationEnd {
  readonly questionId: string;
  readonly callId: string;
  readonly tool: string;
  readonly outcome: 'accept' | 'decline' | 'cancel' | 'unanswered' | 'cancelled';
  readonly text: string;
}

export type Decision = boolean | { readonly approved: boolean; readonly reason?: string };

export interface Offer {
  readonly description: string;
  /** JSON schema of an object. */
  readonly parameters?: Readonly<Record<string, unknown>>;
  readonly handler: (args: Record<string, unknown>) => unknown;
}

export type { DescribedTool as ToolDescription, Thread } from './wire.js';

export interface RoomAgentEvents {
  /** The agent is in the room and accepts calls; also when another one has taken over. */
  ready: readonly string[];
  state: AgentState;
  tool: ToolCall;
  approvalEnd: ApprovalEnd;
  elicitationEnd: ElicitationEnd;
  file: ReceivedFile;
  cursor: Cursor;
  /** Any notice of the agent, as received. */
  notice: Notice;
  /** The agent did not accept something, or something could not be read. */
  error: AgentError;
}
