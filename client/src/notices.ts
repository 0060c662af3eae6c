/** Notices of the agent's, topic `system` (docs/wire-contract.md of the worker): what each changes here. */

import type { RoomAgentEvents, ToolCall } from './api.js';
import type { Emitter } from './emitter.js';
import { AgentError } from './errors.js';
import type { Files } from './files.js';
import { withReactor, type Reaction } from './messages.js';
import type { Packets } from './packets.js';
import type { Questions } from './questions.js';
import type { SharedState } from './state.js';
import type { Threads } from './threads.js';

interface Parts {
  threads: Threads;
  questions: Questions;
  packets: Packets;
  files: Files;
  shared: SharedState;
}

export class Notices {
  readonly #agent: string;
  readonly #parts: Parts;
  readonly #events: Emitter<RoomAgentEvents>;
  readonly #run: (work: Promise<unknown>) => void;

  /** `run` tells the app what a piece of work fails with. */
  constructor(agent: string, parts: Parts, events: Emitter<RoomAgentEvents>, run: (work: Promise<unknown>) => void) {
    this.#agent = agent;
    this.#parts = parts;
    this.#events = events;
    this.#run = run;
  }

  take(notice: Record<string, unknown>): void {
    this.#events.emit('notice', notice);
    const event = String(notice['event']);
    const list = this.#parts.threads.named(notice['thread']);
    if (event === 'error') this.#onError(notice);
    else if (event.startsWith('file.')) this.#parts.files.notice(notice);
    else if (event.startsWith('tool.')) this.#onTool(event.slice(5), notice);
    else if (event === 'answer.finished') this.#onFinished(notice);
    else if (event === 'message.edited') {
      for (const id of notice['messageIds'] as string[]) {
        const known = list.get(id, notice['authorId'] as string);
        if (known) list.put({ ...known, text: notice['newText'] as string });
        if (notice['truncated']) this.#run(this.#parts.threads.history(list).read(id, notice['authorId'] as string));
      }
    } else if (event === 'message.deleted') {
      for (const id of notice['messageIds'] as string[]) list.remove(id, notice['authorId'] as string);
    } else if (event === 'thread.deleted') list.clear();
    else if (event === 'state.changed') {
      if (notice['thread'] === 'room') this.#parts.shared.changed(notice['revision'] as number);
    }
    else if (event === 'reactions.changed') {
      const known = list.get(notice['messageId'] as string, notice['messageSenderId'] as string);
      if (known) list.put({ ...known, reactions: reactionsOf(notice, known.reactions) });
    }
  }

  #onTool(state: string, notice: Record<string, unknown>): void {
    this.#events.emit('tool', { ...notice, state, text: notice['content'] } as unknown as ToolCall);
  }

  #onFinished({ segmentId, inReplyTo, inReplyToSenderId }: Record<string, unknown>): void {
    for (const list of this.#parts.threads.used) {
      const known = list.get(segmentId as string, this.#agent);
      if (known?.state === 'streaming' || known?.state === 'done') {
        // Spoken, in a packet, or read by somebody else in the app: the question is in the history now.
        if (inReplyTo !== undefined && !list.get(inReplyTo as string, inReplyToSenderId as string)) {
          this.#run(this.#parts.threads.history(list).read(inReplyTo as string, inReplyToSenderId as string));
        }
        return;
      }
    }
    // Neither the stream nor the packets of it came: whichever thread it is in has it.
    this.#run(this.#parts.threads.loadNewest());
  }

  #onError(notice: Record<string, unknown>): void {
    const retryAfter = notice['retryAfter'] as number | undefined;
    const error = new AgentError(Number(notice['code']), String(notice['content']), { retryAfter });
    const ids = notice['messageIds'] as string[] | undefined;
    if (error.code === 409 && retryAfter !== undefined && !ids) {
      this.#parts.packets.sendAgain(retryAfter * 1000);
      return;
    }
    for (const id of ids ?? []) this.#parts.questions.refused(id, error);
    this.#events.emit('error', error);
  }
}

function reactionsOf(notice: Record<string, unknown>, before: readonly Reaction[] | undefined): readonly Reaction[] {
  const { reactions, emoji, reactedBy, removed } = notice as {
    reactions: Reaction[];
    emoji: string;
    reactedBy: string;
    removed: boolean;
  };
  return withReactor(reactions, before, { emoji, identity: reactedBy, isRemoved: removed });
}
