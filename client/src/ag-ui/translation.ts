/** Translates an answer of the room's agent into the events of a run (AG-UI: docs.ag-ui.com, "Events"). */

import { EventType, type BaseEvent, type Message } from '@ag-ui/client';
import type { AnswerPiece } from '../asking.js';
import type { Part } from '../parts.js';

export type Emit = (event: BaseEvent & Record<string, unknown>) => void;

/** The open messages and tool calls of an answer while its pieces arrive, in one run or several. */
export class Translation {
  /** Ids of the messages and tool calls that the events have created. */
  readonly made = new Set<string>();
  readonly #answerId: () => string;
  /** The client's tools, whose calls have been sent as events already. */
  readonly #isOwn: (tool: string) => boolean;
  #emit: Emit = () => undefined;
  #restarts = 0;
  #texts = 0;
  #text: string | undefined;
  #reasoning: { readonly id: string; length: number } | undefined;
  #calls = new Map<string, 'open' | 'over'>();

  constructor(answerId: () => string, isOwn: (tool: string) => boolean) {
    this.#answerId = answerId;
    this.#isOwn = isOwn;
  }

  /** Events go to another run from now on. */
  goOn(emit: Emit): void {
    this.#emit = emit;
  }

  /** `former`: the messages that the run was given; a restart removes those that this answer has made. */
  take(piece: AnswerPiece, former: readonly Message[]): void {
    if (piece.type === 'text') this.#takeText(piece.text);
    else if (piece.type === 'restart') this.#restart(former);
    else this.#takePart(piece.part);
  }

  /** Emits a call of one of the client's tools; the application answers it in its next run. */
  callOwn(id: string, tool: string, args: Record<string, unknown>): void {
    this.#call(id, tool, args);
  }

  /** Ends the open messages, before other events or the end of the run. */
  close(): void {
    if (this.#text !== undefined) this.#emit({ type: EventType.TEXT_MESSAGE_END, messageId: this.#text });
    this.#text = undefined;
    if (this.#reasoning) {
      this.#emit({ type: EventType.REASONING_MESSAGE_END, messageId: this.#reasoning.id });
      this.#emit({ type: EventType.REASONING_END, messageId: this.#reasoning.id });
    }
    this.#reasoning = undefined;
  }

  #takeText(text: string): void {
    if (!text) return;
    if (this.#text === undefined) {
      this.close();
      this.#texts += 1;
      this.#text = this.#texts === 1 ? this.#base : `${this.#base}:text-${this.#texts}`;
      this.made.add(this.#text);
      this.#emit({ type: EventType.TEXT_MESSAGE_START, messageId: this.#text, role: 'assistant' });
    }
    this.#emit({ type: EventType.TEXT_MESSAGE_CONTENT, messageId: this.#text, delta: text });
  }

  /** Retracts the text so far: AG-UI's only way to take back a message is to send all messages again. */
  #restart(former: readonly Message[]): void {
    this.close();
    const isMade = (message: Message): boolean =>
      this.made.has(message.id) || (message.role === 'tool' && this.made.has(message.toolCallId));
    this.#restarts += 1;
    this.#texts = 0;
    this.#calls.clear();
    this.#emit({ type: EventType.MESSAGES_SNAPSHOT, messages: former.filter((message) => !isMade(message)) });
  }

  #takePart(part: Part): void {
    if (part.type === 'reasoning') {
      this.#takeReasoning(part.id, part.text);
    } else if (part.type === 'tool-call') {
      if (this.#isOwn(part.name)) return;
      const state = this.#calls.get(part.id);
      if (state === undefined) this.#call(this.#idOf(part), part.name, part.arguments ?? {});
      const isOver = part.state === 'done' || part.state === 'failed';
      if (isOver && state !== 'over') this.#finish(part);
      this.#calls.set(part.id, isOver ? 'over' : 'open');
    } else {
      this.close();
      this.#emit({
        type: EventType.ACTIVITY_SNAPSHOT,
        messageId: this.#idOf(part),
        activityType: part.type,
        content: { ...part },
        replace: true,
      });
    }
  }

  #takeReasoning(partId: string, text: string): void {
    const id = `${this.#base}:${partId}`;
    if (this.#reasoning?.id !== id) {
      // The piece's message has begun already.
      if (this.made.has(id)) return;
      this.close();
      this.made.add(id);
      this.#emit({ type: EventType.REASONING_START, messageId: id });
      this.#emit({ type: EventType.REASONING_MESSAGE_START, messageId: id, role: 'reasoning' });
      this.#reasoning = { id, length: 0 };
    }
    const delta = text.slice(this.#reasoning.length);
    if (delta) this.#emit({ type: EventType.REASONING_MESSAGE_CONTENT, messageId: id, delta });
    this.#reasoning.length = text.length;
  }

  #call(id: string, tool: string, args: Readonly<Record<string, unknown>>): void {
    this.close();
    this.made.add(id);
    this.#emit({ type: EventType.TOOL_CALL_START, toolCallId: id, toolCallName: tool });
    this.#emit({ type: EventType.TOOL_CALL_ARGS, toolCallId: id, delta: JSON.stringify(args) });
    this.#emit({ type: EventType.TOOL_CALL_END, toolCallId: id });
  }

  #finish(part: Part & { type: 'tool-call' }): void {
    this.close();
    const content = part.error ?? part.result ?? '';
    const toolCallId = this.#idOf(part);
    this.made.add(`${toolCallId}:result`);
    this.#emit({ type: EventType.TOOL_CALL_RESULT, messageId: `${toolCallId}:result`, toolCallId, content, role: 'tool' });
  }

  /** Prefix of the ids that the answer creates; a new one after a restart. */
  get #base(): string {
    return this.#restarts ? `${this.#answerId()}:again-${this.#restarts}` : this.#answerId();
  }

  #idOf(part: Part): string {
    return `${this.#base}:${part.id}`;
  }
}
