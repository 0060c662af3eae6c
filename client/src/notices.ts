/** Applies the agent's notices, topic `system` (docs/wire-contract.md of the worker). */

import type { RoomAgentEvents, ToolCall } from './api.js';
import type { ClientMethods } from './client-methods.js';
import type { Emitter } from './emitter.js';
import { AgentError } from './errors.js';
import type { Files } from './files.js';
import { withReactor } from './messages.js';
import type { Packets } from './packets.js';
import type { Questions } from './questions.js';
import type { SharedState } from './state.js';
import type { Threads } from './threads.js';
import type {
  AnswerFinished,
  ApprovalEnded,
  ElicitationEnded,
  ErrorNotice,
  MessageEdited,
  Notice,
  ReactionsChanged,
  ToolFinished,
  ToolProgress,
  ToolStarted,
} from './wire.js';

interface Parts {
  threads: Threads;
  questions: Questions;
  packets: Packets;
  files: Files;
  shared: SharedState;
  clientMethods: ClientMethods;
}

export class Notices {
  readonly #agent: string;
  readonly #parts: Parts;
  readonly #events: Emitter<RoomAgentEvents>;
  readonly #run: (work: Promise<unknown>) => void;

  /** `run` starts work and reports its failure to the app. */
  constructor(agent: string, parts: Parts, events: Emitter<RoomAgentEvents>, run: (work: Promise<unknown>) => void) {
    this.#agent = agent;
    this.#parts = parts;
    this.#events = events;
    this.#run = run;
  }

  take(notice: Notice): void {
    this.#events.emit('notice', notice);
    const { threads, files, shared } = this.#parts;
    switch (notice.event) {
      case 'error':
        return this.#onError(notice);
      case 'file.progress':
      case 'file.received':
      case 'file.refused':
        return files.notice(notice);
      case 'tool.started':
        return this.#onTool('started', notice);
      case 'tool.progress':
        return this.#onTool('progress', notice);
      case 'tool.finished':
        return this.#onTool('finished', notice);
      case 'approval.ended':
        return this.#onApprovalEnd(notice);
      case 'elicitation.ended':
        return this.#onElicitationEnd(notice);
      case 'answer.finished':
        return this.#onFinished(notice);
      case 'message.edited':
        return this.#onEdited(notice);
      case 'message.deleted':
        for (const id of notice.messageIds) threads.named(notice.thread).remove(id, notice.authorId);
        return;
      case 'thread.deleted':
        return threads.named(notice.thread).clear();
      case 'author.erased':
        return threads.named(notice.thread).removeOf(notice.authorId);
      case 'state.changed':
        if (notice.thread === 'room') shared.changed(notice.revision);
        return;
      case 'reactions.changed':
        return this.#onReaction(notice);
      case 'message.stored':
      case 'voice.failed':
    }
  }

  #onTool(state: ToolCall['state'], notice: ToolStarted | ToolProgress | ToolFinished): void {
    this.#events.emit('tool', { ...notice, state, text: notice.content });
  }

  #onApprovalEnd(notice: ApprovalEnded): void {
    this.#parts.clientMethods.approvals.ended(notice.callId);
    this.#events.emit('approvalEnd', { ...notice, text: notice.content });
  }

  #onElicitationEnd(notice: ElicitationEnded): void {
    this.#parts.clientMethods.elicitations.ended(notice.questionId);
    this.#events.emit('elicitationEnd', { ...notice, text: notice.content });
  }

  #onEdited({ thread, messageIds, authorId, newText, truncated }: MessageEdited): void {
    const list = this.#parts.threads.named(thread);
    for (const id of messageIds) {
      const known = list.get(id, authorId);
      if (known && !truncated) list.put({ ...known, text: newText });
      if (truncated) this.#run(this.#parts.threads.history(list).read(id, authorId));
    }
  }

  #onReaction(notice: ReactionsChanged): void {
    const list = this.#parts.threads.named(notice.thread);
    const known = list.get(notice.messageId, notice.messageSenderId);
    if (!known) return;
    const { emoji, reactedBy: identity, removed: isRemoved } = notice;
    list.put({ ...known, reactions: withReactor(notice.reactions, known.reactions, { emoji, identity, isRemoved }) });
  }

  #onFinished({ segmentId, inReplyTo, inReplyToSenderId }: AnswerFinished): void {
    for (const list of this.#parts.threads.used) {
      const known = list.get(segmentId, this.#agent);
      if (known?.state === 'streaming' || known?.state === 'done') {
        // Spoken, sent in a packet, or read by other code of the app: the question is in the history now.
        if (inReplyTo !== undefined && inReplyToSenderId !== undefined && !list.get(inReplyTo, inReplyToSenderId)) {
          this.#run(this.#parts.threads.history(list).read(inReplyTo, inReplyToSenderId));
        }
        return;
      }
    }
    // Neither its stream nor its packets arrived: read it from the thread that it is in.
    this.#run(this.#parts.threads.loadNewest());
  }

  #onError({ code, content, retryAfter, messageIds }: ErrorNotice): void {
    const error = new AgentError(code, content, { retryAfter });
    if (code === 409 && retryAfter !== undefined && !messageIds) {
      this.#parts.packets.sendAgain(retryAfter * 1000);
      return;
    }
    for (const id of messageIds ?? []) this.#parts.questions.refused(id, error);
    this.#events.emit('error', error);
  }
}
