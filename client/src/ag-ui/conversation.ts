/** The runs of one thread: its questions, the state between runs, and what the application must answer. */

import { EventType, type RunAgentInput } from '@ag-ui/client';
import type { RoomAgent } from '../agent.js';
import type { Approval, Decision } from '../api.js';
import type { AnswerPiece, Asking } from '../asking.js';
import { AgentError } from '../errors.js';
import type { Message, MessageList } from '../messages.js';
import { newId } from '../room.js';
import { writtenIn, type Written } from './messages.js';
import { Translation, type Emit } from './translation.js';

/** A question from the agent to the application: a call of its tool, or a request for approval. */
interface Request {
  readonly id: string;
  readonly tool: string;
  readonly args: Record<string, unknown>;
  readonly approval: Approval | undefined;
  /** Whether a run has ended with it. */
  isTold: boolean;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: AgentError) => void;
}

interface Open {
  readonly asking: Asking;
  readonly pieces: AsyncIterator<AnswerPiece>;
  readonly translation: Translation;
  /** The awaited piece, which may arrive after the end of the run. */
  next: Promise<IteratorResult<AnswerPiece>> | undefined;
}

export class Conversation {
  readonly #agent: RoomAgent;
  readonly #isPrivate: boolean;
  readonly #approvals: boolean;
  /** Removes the handlers of approvals; they are there during a run, and until its answer ends. */
  #stopHearing: (() => void) | undefined;
  /** Ids of questions, by the ids of AG-UI's messages. */
  readonly #asked = new Map<string, string>();
  readonly #requests = new Map<string, Request>();
  /** Called when questions that ended a run need no answer any more. */
  onOver: () => void = () => undefined;
  #tools = new Set<string>();
  #open: Open | undefined;
  /** Number of runs under way. */
  #runs = 0;
  #wake: () => void = () => undefined;
  /** The application's copy of the document, and its revision. */
  #state: { readonly json: string; readonly revision: number } | undefined;

  constructor(agent: RoomAgent, { isPrivate, approvals }: { isPrivate: boolean; approvals: boolean }) {
    this.#agent = agent;
    this.#isPrivate = isPrivate;
    this.#approvals = approvals;
  }

  get #list(): MessageList {
    return this.#isPrivate ? this.#agent.privateMessages : this.#agent.messages;
  }

  /** Performs a run. Returns the fields of its end event. Throws AgentError. */
  async run(input: RunAgentInput, emit: Emit, signal: AbortSignal): Promise<object> {
    await this.#agent.ready();
    if (this.#approvals) this.#stopHearing ??= this.#hear();
    this.#runs += 1;
    let stopState = (): void => undefined;
    try {
      await this.#offer(input, emit);
      stopState = await this.#share(input, emit);
      this.#takeResults(input);
      const written = writtenIn(input.messages, (id) => this.#idOf(id) !== undefined);
      // A run that answers an interrupt, or continues the open question, asks nothing new.
      const isOpen = this.#open !== undefined && (!written || Boolean(input.resume?.length) || this.#isOpen(written));
      if (!isOpen && !written) return {};
      const open = isOpen || !written ? (this.#open as Open) : await this.#begin(written);
      return await this.#follow(open, input, emit, signal);
    } finally {
      stopState();
      this.#runs -= 1;
      this.#rest();
    }
  }

  /** Starts to hear of approvals; returns a function that ends it. In Node, the room has to be connected. */
  #hear(): () => void {
    const offs = [
      this.#agent.onApproval((approval) => this.#approve(approval)),
      this.#agent.on('approvalEnd', ({ callId }) => this.#approvalEnded(callId)),
    ];
    return () => offs.forEach((off) => off());
  }

  /** Without a run and an answer under way nobody here decides anything. */
  #rest(): void {
    if (this.#runs || (this.#open && !this.#open.asking.isSettled)) return;
    this.#stopHearing?.();
    this.#stopHearing = undefined;
  }

  /** Reads and returns the newest messages of the thread. */
  async history(): Promise<readonly Message[]> {
    await this.#agent.ready();
    await this.#agent.loadOlder({ private: this.#isPrivate });
    return this.#list.items;
  }

  /** Whether a question to the application is unanswered. */
  waitsFor(id: string): boolean {
    return this.#requests.has(id);
  }

  stop(): void {
    const open = this.#open;
    this.#open = undefined;
    this.#refuse('The run was aborted.');
    this.#rest();
    // The answer has ended meanwhile: nothing to stop.
    void open?.asking.stop().catch(() => undefined);
  }

  /** The id in the thread of one of AG-UI's messages; none if the agent did not accept it. */
  #idOf(message: string): string | undefined {
    const id = this.#asked.get(message) ?? message;
    const known = this.#list.get(id);
    return known === undefined || known.state === 'failed' ? undefined : id;
  }

  #isOpen({ id, text }: Written): boolean {
    const known = this.#idOf(id);
    return known !== undefined && known === this.#open?.asking.id && this.#list.get(known)?.text === text;
  }

  async #begin(written: Written): Promise<Open> {
    this.#refuse('There is a newer question.');
    const known = this.#idOf(written.id);
    const asking = known === undefined ? this.#ask(written) : await this.#again(known, written.text);
    const answerId = (): string => this.#answer(asking)?.id ?? `answer-to-${asking.id}`;
    this.#open = {
      asking,
      pieces: asking[Symbol.asyncIterator](),
      translation: new Translation(answerId, (tool) => this.#tools.has(tool)),
      next: undefined,
    };
    const rest = (): void => this.#rest();
    asking.answer.then(rest, rest); // The run may have been left before.
    return this.#open;
  }

  #ask({ id, text, attachments }: Written): Asking {
    const asking = this.#agent.ask(text, { private: this.#isPrivate, attachments });
    this.#asked.set(id, asking.id);
    return asking;
  }

  async #again(id: string, text: string): Promise<Asking> {
    return this.#list.get(id)?.text === text ? this.#agent.regenerate(id) : this.#agent.edit(id, text);
  }

  #answer(asking: Asking): Message | undefined {
    return this.#list.items.find(({ role, inReplyTo }) => role === 'assistant' && inReplyTo === asking.id);
  }

  /** Passes pieces on until the answer ends or the application must answer a question. */
  async #follow(open: Open, input: RunAgentInput, emit: Emit, signal: AbortSignal): Promise<object> {
    const { translation } = open;
    translation.goOn(emit);
    signal.addEventListener('abort', () => this.#wake());
    for (;;) {
      if (signal.aborted) {
        translation.close();
        return {};
      }
      const requests = [...this.#requests.values()].filter(({ isTold }) => !isTold);
      if (requests.length) return this.#tell(requests, translation);
      open.next ??= open.pieces.next();
      const woken = new Promise<undefined>((resolve) => (this.#wake = () => resolve(undefined)));
      const next = await Promise.race([open.next, woken]).catch((error: unknown) => {
        this.#end(open);
        throw error;
      });
      if (next === undefined) continue;
      open.next = undefined;
      if (next.done) break;
      translation.take(next.value, input.messages);
    }
    translation.close();
    this.#end(open);
    const { finishReason } = await open.asking.answer;
    if (finishReason === 'error') throw new AgentError(500, 'The answer ended with an error.');
    // Clients of the unversioned protocol do not know cancelled runs.
    const isCancelled = finishReason === 'cancelled' && (input as { protocolVersion?: string }).protocolVersion !== undefined;
    return isCancelled ? { outcome: { type: 'cancelled' } } : {};
  }

  #end(open: Open): void {
    if (this.#open === open) this.#open = undefined;
  }

  /** Ends a run with the questions to the application: calls of its tools first, then approvals. */
  #tell(requests: readonly Request[], translation: Translation): object {
    const calls = requests.filter(({ approval }) => !approval);
    for (const request of calls.length ? calls : requests) {
      request.isTold = true;
      if (!request.approval) translation.callOwn(request.id, request.tool, request.args);
    }
    translation.close();
    if (calls.length) return {};
    const interrupts = requests.map(({ id, tool, args, approval }) => ({
      id,
      reason: 'approval',
      message: approval?.description ?? tool,
      responseSchema: {
        type: 'object',
        properties: { approved: { type: 'boolean' }, reason: { type: 'string' } },
        required: ['approved'],
      },
      metadata: { tool, arguments: args },
    }));
    return { outcome: { type: 'interrupt', interrupts } };
  }

  #takeResults({ messages, resume = [] }: RunAgentInput): void {
    for (const message of messages) {
      if (message.role !== 'tool') continue;
      const request = this.#requests.get(message.toolCallId);
      if (!request) continue;
      const { content, error } = message;
      if (error === undefined) request.resolve(typeof content === 'string' ? content : JSON.stringify(content));
      else request.reject(new AgentError(500, error));
    }
    for (const { interruptId, status, payload } of resume) {
      const given = payload as { approved?: unknown; reason?: string } | undefined;
      const approved = status === 'resolved' && given?.approved === true;
      const reason = typeof given?.reason === 'string' ? { reason: given.reason } : {};
      this.#requests.get(interruptId)?.resolve({ approved, ...reason });
    }
  }

  /** Only for calls of questions from here; others decide about theirs. */
  async #approve(approval: Approval): Promise<Decision | undefined> {
    const { tool, arguments: args, messageId } = approval;
    if (messageId !== this.#open?.asking.id) return undefined;
    return (await this.#request(tool, { ...args }, approval)) as Decision;
  }

  /** Somebody else has decided, or nobody in time: the application need not answer. */
  #approvalEnded(callId: string): void {
    for (const [id, { approval, reject }] of this.#requests) {
      if (approval?.callId !== callId) continue;
      this.#requests.delete(id);
      reject(new AgentError(409, 'The question is over.'));
      this.onOver();
      this.#wake();
    }
  }

  /** Asks the application; a later run brings its answer. */
  async #request(tool: string, args: Record<string, unknown>, approval?: Approval): Promise<unknown> {
    if (!this.#open) throw new AgentError(503, 'There is no run in which the application could answer.');
    const id = newId();
    try {
      return await new Promise((resolve, reject) => {
        this.#requests.set(id, { id, tool, args, approval, isTold: false, resolve, reject });
        this.#wake();
      });
    } finally {
      this.#requests.delete(id);
    }
  }

  #refuse(reason: string): void {
    for (const request of this.#requests.values()) request.reject(new AgentError(499, reason));
  }

  /** Offers the model the application's tools, instead of those of the previous run. */
  async #offer({ tools = [] }: RunAgentInput, emit: Emit): Promise<void> {
    const former = this.#tools;
    this.#tools = new Set(tools.map(({ name }) => name));
    const withdraw = [...former].filter((name) => !this.#tools.has(name));
    const offers = tools.map(({ name, description, parameters }) => {
      const handler = (args: Record<string, unknown>): Promise<unknown> => this.#request(name, args);
      return [name, { description, handler, ...(parameters ? { parameters: parameters as Record<string, unknown> } : {}) }] as const;
    });
    try {
      await this.#agent.offer(Object.fromEntries(offers), { withdraw });
    } catch (error) {
      // The token does not allow it: the run continues without them.
      const message = error instanceof Error ? error.message : String(error);
      emit({ type: EventType.CUSTOM, name: 'tools-not-offered', value: message });
    }
  }

  /** Synchronizes the room's document and the run's state; returns a function that ends it. */
  async #share({ state }: RunAgentInput, emit: Emit): Promise<() => void> {
    const { shared, methods } = this.#agent;
    if (this.#isPrivate || !methods.includes('getState')) return () => undefined;
    const given = JSON.stringify(state ?? {});
    if (shared.revision < 0) await shared.load();
    if (this.#state !== undefined && given !== this.#state.json && methods.includes('patchState')) {
      try {
        // Changes that others made since the application read it stay (409).
        await shared.patch([{ op: 'replace', path: '', value: state }], this.#state.revision);
      } catch (error) {
        emit({ type: EventType.CUSTOM, name: 'state-refused', value: error instanceof Error ? error.message : String(error) });
        await shared.load();
      }
    }
    let known = given;
    const tell = (): void => {
      const json = JSON.stringify(shared.value);
      this.#state = { json, revision: shared.revision };
      if (json === known) return;
      known = json;
      emit({ type: EventType.STATE_SNAPSHOT, snapshot: shared.value });
    };
    tell();
    return shared.subscribe(tell);
  }
}
