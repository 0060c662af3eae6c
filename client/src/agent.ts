/** RoomAgent: an app's interface to the agent of a room. */

import { Answers } from './answers.js';
import type {
  AgentState,
  Approval,
  AskOptions,
  Decision,
  Elicitation,
  ElicitationAnswer,
  Offer,
  RoomAgentEvents,
  RoomAgentOptions,
  Thread,
  ToolDescription,
} from './api.js';
import type { QuestionHandler } from './asked.js';
import type { Asking } from './asking.js';
import { Whiteboard } from './board.js';
import { Calls, type CallOptions } from './calls.js';
import { ClientMethods } from './client-methods.js';
import { Emitter } from './emitter.js';
import { AgentError, parseObject } from './errors.js';
import { Files, type FileToSend, type SendFileOptions, type SentFile } from './files.js';
import type { MessageList } from './messages.js';
import { Notices } from './notices.js';
import { Packets } from './packets.js';
import { Questions } from './questions.js';
import { decode, me, newId, type ByteReader, type ParticipantLike, type RoomLike, type TextReader } from './room.js';
import { SharedState } from './state.js';
import { Threads } from './threads.js';
import type { Notice } from './wire.js';

const READY_TIMEOUT = 30_000;
const ATTEMPTS = 5;

/**
 * The agent in a room. Create it before connecting: messages that arrive before its handlers exist are lost.
 *
 * `messages` is the complete thread of the room: history, streaming answers, edits, repeated answers.
 */
export class RoomAgent {
  readonly identity: string;
  readonly messages: MessageList;
  readonly whiteboard: Whiteboard;
  /** The document that the room shares; call its `load` first. */
  readonly shared: SharedState;
  readonly #room: RoomLike;
  readonly #packets: Packets;
  readonly #replyTopic: string;
  readonly #chatTopic: string | null;
  readonly #events = new Emitter<RoomAgentEvents>();
  readonly #calls: Calls;
  readonly #files: Files;
  readonly #threads: Threads;
  readonly #questions: Questions;
  readonly #clientMethods: ClientMethods;
  readonly #notices: Notices;
  readonly #off: (() => void)[] = [];
  readonly #answers: Answers;
  #methods = '';
  #recovering = new Set<string>();
  #isClosed = false;

  constructor(room: RoomLike, options: RoomAgentOptions = {}) {
    this.identity = options.identity ?? 'agent';
    this.#room = room;
    this.#replyTopic = options.replyTopic ?? 'llm-response';
    this.#chatTopic = options.chatTopic === undefined ? 'lk.chat' : options.chatTopic;
    this.#calls = new Calls(room, this.identity);
    this.#files = new Files(room, this.identity, (file) => this.#events.emit('file', file));
    this.#packets = new Packets(room, this.identity);
    this.whiteboard = new Whiteboard(this.#packets, this.#calls);
    this.shared = new SharedState(this.#calls, 'room', (error) => this.#run(Promise.reject(error)));
    this.#threads = new Threads(room, this.#calls);
    this.messages = this.#threads.room;
    this.#questions = new Questions(room, this, this.#chatTopic ?? 'lk.chat', this.#packets, this.#files);
    this.#clientMethods = new ClientMethods(room, this.identity, this.#events, this.#calls.patience);
    const name = (): string => this.#participant?.name ?? '';
    this.#answers = new Answers(this.identity, name, this.#threads, (list, segment) => void this.#recover(list, segment));
    const shared = { threads: this.#threads, questions: this.#questions, packets: this.#packets, files: this.#files, shared: this.shared };
    const parts = { ...shared, clientMethods: this.#clientMethods };
    this.#notices = new Notices(this.identity, parts, this.#events, (work) => this.#run(work));
    this.#listen();
    this.#look();
  }

  /** The user's private thread with the agent. The room must be connected. */
  get privateMessages(): MessageList {
    return this.#threads.own;
  }

  get isReady(): boolean {
    return Boolean(this.#participant?.attributes['agent.ready']);
  }

  /** Names of the agent's RPC methods in this room. */
  get methods(): readonly string[] {
    return this.#participant?.attributes['agent.ready']?.split(',') ?? [];
  }

  get state(): AgentState {
    return (this.#participant?.attributes['lk.agent.state'] as AgentState | undefined) ?? 'away';
  }

  /** The agent that answers in the room, if the app has several. */
  get activeAgent(): { readonly name: string; readonly displayName: string } | undefined {
    const active = this.#participant?.attributes['agent.active'];
    return active === undefined ? undefined : (parseObject(active) as { name: string; displayName: string });
  }

  /** Adds a listener for an event; returns a function that removes it. */
  on<Name extends keyof RoomAgentEvents>(name: Name, listener: (event: RoomAgentEvents[Name]) => void): () => void {
    return this.#events.on(name, listener);
  }

  /** Resolves when the agent accepts messages and calls. Throws AgentError (504). */
  async ready(timeout = READY_TIMEOUT): Promise<void> {
    if (this.isReady) return;
    await new Promise<void>((resolve, reject) => {
      const off = this.on('ready', () => {
        clearTimeout(timer);
        off();
        resolve();
      });
      const timer = setTimeout(() => {
        off();
        reject(new AgentError(504, `There is no agent ${this.identity} in the room.`));
      }, timeout);
    });
  }

  /** Asks, and gives the answer piece by piece. A question that may not have arrived is sent again under its id. */
  ask(text: string, options: AskOptions = {}): Asking {
    return this.#questions.ask(text, options.private ? this.privateMessages : this.messages, options);
  }

  /** Stops the user's answers in progress, or the answer to one message; returns the ids of the messages. */
  async stop(messageId?: string): Promise<readonly string[]> {
    return (await this.#calls.own('stopResponse', messageId === undefined ? {} : { messageId })).stopped;
  }

  /** Asks the agent to answer a message again; the new answer replaces the former one in `messages`. */
  async regenerate(messageId: string): Promise<Asking> {
    return this.#questions.again(messageId, this.#listWith(messageId), () => this.#calls.own('regenerate', { messageId }));
  }

  /** Changes the text of the user's message; the agent answers it again. */
  async edit(messageId: string, text: string): Promise<Asking> {
    return this.#questions.again(messageId, this.#listWith(messageId), () => this.#calls.own('editMessage', { messageId, text }));
  }

  async delete(messageId: string): Promise<readonly string[]> {
    return (await this.#calls.own('deleteMessage', { messageId })).deleted;
  }

  async feedback(messageId: string, value: 'up' | 'down' | number, comment?: string): Promise<void> {
    await this.#calls.own('sendFeedback', { messageId, value, ...(comment === undefined ? {} : { comment }) });
  }

  /** Adds an emoji to a message, or removes it. */
  async react(messageId: string, emoji: string, { remove = false } = {}): Promise<void> {
    const senderId = this.#listWith(messageId).get(messageId)?.senderId;
    const payload = { emoji, targetMessageId: messageId, targetSenderId: senderId, remove };
    await this.#packets.send({ topic: 'reactions', payload });
  }

  async threads(): Promise<readonly Thread[]> {
    return (await this.#calls.own('listThreads', {})).threads;
  }

  async deleteThread(thread: string): Promise<void> {
    await this.#calls.own('deleteThread', { thread });
  }

  async summary(thread = 'room'): Promise<string> {
    return (await this.#calls.own('getSummary', { thread }, { timeout: 60_000 })).summary;
  }

  /** Loads older messages into `messages` or `privateMessages`; returns whether there are more. */
  async loadOlder({ private: isPrivate = false, limit = 50 } = {}): Promise<boolean> {
    return this.#threads.history(isPrivate ? this.privateMessages : this.messages).loadOlder(limit);
  }

  /** The tools that the user may call, with the JSON schemas of their arguments. */
  async tools(): Promise<readonly ToolDescription[]> {
    return (await this.#calls.own('describeTools', {})).tools;
  }

  /** Calls a tool or another method; returns parsed JSON, or text if the response is not JSON. Throws AgentError. */
  async call<Answer = unknown>(method: string, payload: unknown = {}, options?: CallOptions): Promise<Answer> {
    return (await this.#calls.value(method, payload, options)) as Answer;
  }

  /** Performs an action of an answer's data part: presses a button, sends a form. */
  async act<Answer = unknown>(message: string, part: string, action: string, payload?: object): Promise<Answer> {
    return this.call<Answer>('partAction', { message, part, action, ...(payload ? { payload } : {}) });
  }

  /** Sends a file; resolves once the agent has stored it. Throws AgentError. */
  async sendFile(file: FileToSend, options?: SendFileOptions): Promise<SentFile> {
    return this.#files.send(file, options);
  }

  /** Asks the agent to send a file again; it arrives as a `file` event. */
  async requestFile(fileId: string): Promise<void> {
    await this.#calls.own('sendFile', { fileId });
  }

  async moveCursor(x: number, y: number, label?: string): Promise<void> {
    await this.#packets.send({ x, y, ...(label === undefined ? {} : { label }) }, { topic: 'cursor', reliable: false });
  }

  /** Makes the agent listen to one participant only, or to anybody who speaks (null). */
  async listenTo(identity: string | null): Promise<void> {
    await this.#calls.own('setListening', { identity });
  }

  /** Sets a handler that decides on approvals; it returns `undefined` to leave one to the previous handler. Returns a function
   * that removes it. */
  onApproval(decide: QuestionHandler<Approval, Decision>): () => void {
    return this.#clientMethods.approvals.handle(decide);
  }

  /** Sets a handler for questions of tools; it returns `undefined` to leave one to the previous handler. Returns a function
   * that removes it. */
  onElicitation(answer: QuestionHandler<Elicitation, ElicitationAnswer>): () => void {
    return this.#clientMethods.elicitations.handle(answer);
  }

  /** Offers methods of this client to the model, in addition to those on offer, and withdraws others by name.
   * The token must allow the client to change its own attributes. */
  async offer(offers: Readonly<Record<string, Offer>>, { withdraw = [] }: { withdraw?: Iterable<string> } = {}): Promise<void> {
    await this.#clientMethods.offer(offers, withdraw);
  }

  /** Removes all handlers; open questions fail. The room stays connected. */
  close(): void {
    this.#packets.close();
    this.#isClosed = true;
    for (const off of this.#off.splice(0)) off();
    this.#clientMethods.close();
    this.#questions.close();
  }

  get #participant(): ParticipantLike | undefined {
    return this.#room.remoteParticipants.get(this.identity);
  }

  #listen(): void {
    const on = (event: string, listener: (...args: never[]) => void): void => {
      this.#room.on(event, listener);
      this.#off.push(() => void this.#room.off(event, listener));
    };
    on('dataReceived', (payload: Uint8Array, from: ParticipantLike | undefined, _kind: unknown, topic?: string) =>
      this.#onPacket(payload, from, topic),
    );
    for (const event of ['connected', 'participantConnected', 'participantActive', 'participantAttributesChanged']) {
      on(event, () => this.#look());
    }
    on('participantDisconnected', (left: ParticipantLike) => {
      if (left.identity === this.identity) this.#onAgentGone();
    });
    on('reconnected', () => {
      this.#questions.newStay();
      void this.#catchUp();
    });
    this.#readText(this.#replyTopic, (reader) => this.#answers.read(reader));
    this.#readText('agent.parts', (reader) => this.#answers.readParts(reader));
    this.#room.registerByteStreamHandler('files', (reader: ByteReader, { identity }: { identity: string }) => {
      if (identity === this.identity) this.#run(this.#files.read(reader));
    });
    this.#off.push(() => this.#room.unregisterByteStreamHandler('files'));
    if (this.#chatTopic !== null) {
      const topic = this.#chatTopic;
      this.#room.registerTextStreamHandler(topic, (reader: TextReader, { identity }: { identity: string }) => {
        this.#run(this.#readMessage(reader, identity));
      });
      this.#off.push(() => this.#room.unregisterTextStreamHandler(topic));
    }
  }

  #readText(topic: string, read: (reader: TextReader) => Promise<void>): void {
    this.#room.registerTextStreamHandler(topic, (reader: TextReader, { identity }: { identity: string }) => {
      // Anybody may send on these topics.
      if (identity === this.identity) this.#run(read(reader));
    });
    this.#off.push(() => this.#room.unregisterTextStreamHandler(topic));
  }

  /** Takes a participant's message, or its new text (which the agent sends in the author's name, to the author too). */
  async #readMessage(reader: TextReader, identity: string): Promise<void> {
    let text = '';
    for await (const chunk of reader) text += chunk;
    const { info } = reader;
    const id = (info as { id?: string; streamId?: string }).id ?? (info as { streamId?: string }).streamId ?? newId();
    const { attributes = {}, timestamp } = info;
    const isPrivate = attributes['scope'] === 'private';
    // Private messages of others do not belong in this list.
    if (identity === this.identity || (isPrivate && identity !== me(this.#room).identity)) return;
    const { position, in_reply_to: inReplyTo } = attributes;
    const list = isPrivate ? this.privateMessages : this.messages;
    const senderName = this.#room.remoteParticipants.get(identity)?.name ?? '';
    list.put({
      id,
      senderId: identity,
      role: 'user',
      ...(list.get(id, identity) ? {} : { senderName, timestamp }),
      text,
      state: 'done',
      ...(position === undefined ? {} : { position: Number(position) }),
      ...(inReplyTo === undefined ? {} : { inReplyTo, inReplyToSenderId: this.identity }),
    });
  }

  #onPacket(payload: Uint8Array, from: ParticipantLike | undefined, topic: string | undefined): void {
    if (!from) return;
    const packet = parseObject(decode(payload));
    if (topic === 'whiteboard') {
      this.whiteboard.apply((packet['content'] ?? packet) as Record<string, unknown>);
    } else if (topic === 'cursor') {
      const { x, y, label } = (packet['content'] ?? packet) as { x: number; y: number; label?: string };
      this.#events.emit('cursor', { identity: from.identity, name: from.name ?? '', x, y, ...(label ? { label } : {}) });
    } else if (from.identity !== this.identity) {
      return;
    } else if (topic === this.#replyTopic) {
      this.#answers.take(packet);
    } else if (topic === 'rpc') {
      this.#calls.take(packet);
    } else if (topic === 'files') {
      this.#files.take(packet);
    } else if (topic === 'system') {
      this.#notices.take(packet as unknown as Notice);
    }
  }

  /** Checks whether the agent has become ready or its attributes have changed. */
  #look(): void {
    const methods = this.#participant?.attributes['agent.ready'] ?? '';
    this.#events.emit('state', this.state);
    if (methods === this.#methods) return;
    const wasAway = !this.#methods;
    this.#methods = methods;
    if (!methods) return;
    if (wasAway) this.#questions.newStay();
    this.#events.emit('ready', methods.split(','));
    if (wasAway) void this.#catchUp();
  }

  #onAgentGone(): void {
    this.#methods = '';
    this.#answers.breakOff();
    this.#clientMethods.agentLeft();
    this.#events.emit('state', 'away');
  }

  /** After joining, a reconnection or the arrival of another agent: reads the history, and repeats questions it lacks. */
  async #catchUp(): Promise<void> {
    if (!this.isReady || this.#isClosed) return;
    if (this.shared.revision >= 0) this.#run(this.shared.load());
    await this.#threads.loadNewest().catch(() => undefined); // The history may be unavailable; live messages still arrive.
    this.#questions.sendAgain(this.#threads.used);
  }

  async #recover(list: MessageList, segment: string): Promise<void> {
    if (this.#recovering.has(segment)) return;
    this.#recovering.add(segment);
    try {
      for (let attempt = 0; attempt < ATTEMPTS && !this.#isClosed; attempt += 1) {
        await this.ready();
        try {
          await this.#threads.history(list).read(segment, this.identity);
          return;
        } catch (error) {
          // Not stored yet, or answered again by the agent that took over.
          if (!(error instanceof AgentError) || (error.code !== 404 && !error.isTemporary)) throw error;
        }
        await new Promise((resolve) => setTimeout(resolve, 500 * 2 ** attempt));
        if (list.get(segment, this.identity)?.state !== 'broken') return;
      }
    } catch (error) {
      if (error instanceof AgentError) this.#events.emit('error', error);
    } finally {
      this.#recovering.delete(segment);
    }
  }

  #listWith(messageId: string): MessageList {
    return this.#threads.used.find((list) => list.get(messageId)) ?? this.messages;
  }

  /** Reports the failure of work that nobody awaits. */
  #run(work: Promise<unknown>): void {
    work.catch((error: unknown) => {
      const message = error instanceof Error ? error.message : String(error);
      this.#events.emit('error', error instanceof AgentError ? error : new AgentError(500, message, { cause: error }));
    });
  }
}
