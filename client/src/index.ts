export { RoomAgent } from './agent.js';
export type {
  AgentState,
  Approval,
  ApprovalEnd,
  AskOptions,
  Decision,
  Elicitation,
  ElicitationAnswer,
  ElicitationEnd,
  Offer,
  RoomAgentEvents,
  RoomAgentOptions,
  Thread,
  ToolCall,
  ToolDescription,
} from './api.js';
export type { QuestionHandler } from './asked.js';
export { Asking, type AnswerPiece } from './asking.js';
export { Whiteboard, type Cursor, type Element, type Operation } from './board.js';
export type { CallOptions } from './calls.js';
export { AgentError, type AgentErrorCode, type AgentErrorOptions } from './errors.js';
export type { FileToSend, ReceivedFile, SendFileOptions, SentFile } from './files.js';
export {
  MessageList,
  type Attachment,
  type FinishReason,
  type Message,
  type MessageState,
  type Reaction,
  type Version,
} from './messages.js';
export type { Part, PartBase } from './parts.js';
export type { LocalParticipantLike, ParticipantLike, RoomLike, WriterLike } from './room.js';
export { SharedState, type PatchOperation } from './state.js';
export type * as wire from './wire.js';
