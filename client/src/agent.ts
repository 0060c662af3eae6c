/** RoomAgent: the agent of a room, as an app uses it. */

import { Answers } from './answers.js';
import { Asking } from './asking.js';
import { Whiteboard, type Cursor } from './board.js';
import { Calls, type CallOptions } from './calls.js';
import { Emitter } from './emitter.js';
import { AgentError, parseObject } from './errors.js';
import { Files, type FileToSend, type ReceivedFile, type SendFileOptions, type SentFile } from './files.js';
import { ThreadHistory } from './history.js';
import { MessageList, withReactor, type Attachment, type Reaction } from './messages.js';
import { Packets } from './packets.js';
import { SharedState } from './state.js';
import {
  bytesOf,
  decode,
  isNode,
  me,
  newId,
  type ByteReader,
  type ParticipantLike,
  type RoomLike,
  type RpcInvocation,
  type TextReader,
} from './room.js';

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

export interface Approval {
  readonly callId: string;
  readonly tool: string;
  readonly description: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  readonly messageId: string;
  /** Seconds that there are to answer. */
  readonly timeout: number;
}

export type Decision = boolean | { readonly approved: boolean; readonly reason?: string };

export interface Offer {
  readonly description: string;
  /** JSON schema of an object. */
  readonly parameters?: Readonly<Record<string, unknown>>;
  readonly handler: (args: Record<string, unknown>) => unknown;
}

export interface ToolDescription {
  readonly name: string;
  readonly description: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly needsApproval: boolean;
  readonly confidential: boolean;
  readonly roles?: readonly string[];
}

export interface Thread {
  readonly id: string;
  readonly scope: 'room' | 'private';
  readonly title: string;
  readonly messages: number;
  readonly lastTimestamp: number;
}

export interface RoomAgentEvents {
  /** The agent is there and its methods can be called; again when another one has taken over. */
  ready: readonly string[];
  state: AgentState;
  tool: ToolCall;
  file: ReceivedFile;
  cursor: Cursor;
  /** Any notice of the agent's, as it came. */
  notice: Readonly<Record<string, unknown>>;
  /** Something that the agent did not accept, or that could not be read. */
  error: AgentError;
}

const ANSWER_TIMEOUT = 330_000;
const READY_TIMEOUT = 30_000;
const MAX_PACKET = 14_000;
const ATTEMPTS = 5;

interface Pending {
  asking: Asking;
  send: () => Promise<void>;
  attempts: number;
  isUnderWay: boolean;
  /** In which stay of an agent it was sent last. */
  stay: number;
}

/**
 * The agent in a room. Make it before connecting: what comes before there are handlers is lost.
 *
 * `messages` is the room's thread as one truth: history, what streams now, edits, answers given again.
 */
export class RoomAgent {
  readonly identity: string;
  readonly messages = new MessageList('room');
  readonly whiteboard: Whiteboard;
  /** The document that the room shares; `load` it to begin with. */
  readonly shared: SharedState;
  readonly #room: RoomLike;
  readonly #packets: Packets;
  readonly #replyTopic: string;
  readonly #chatTopic: string | null;
  readonly #events = new Emitter<RoomAgentEvents>();
  readonly #calls: Calls;
  readonly #files: Files;
  readonly #pending = new Map<string, Pending>();
  readonly #offers = new Map<string, Offer>();
  readonly #off: (() => void)[] = [];
  #private: MessageList | undefined;
  #histories = new Map<MessageList, ThreadHistory>();
  #answers: Answers;
  #methods = '';
  #recovering = new Set<string>();
  #isClosed = false;
  /** Counts the agents that came, and the connections after the first. */
  #stay = 0;

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
    // eslint-disable-next-line @typescript-eslint/no-this-alias -- the private thread is known once connected
    const agent = this;
    const lists = {
      room: this.messages,
      get own() {
        return agent.privateMessages;
      },
    };
    const name = (): string => this.#participant?.name ?? '';
    this.#answers = new Answers(this.identity, name, lists, (list, segment) => void this.#recover(list, segment));
    this.#listen();
    this.#look();
  }

  /** One's own private thread with the agent. The room has to be connected. */
  get privateMessages(): MessageList {
    this.#private ??= new MessageList(`private:${me(this.#room).identity}`);
    return this.#private;
  }

  get isReady(): boolean {
    return Boolean(this.#participant?.attributes['agent.ready']);
  }

  /** Names of the RPC methods that the agent has in this room. */
  get methods(): readonly string[] {
    return this.#participant?.attributes['agent.ready']?.split(',') ?? [];
  }

  get state(): AgentState {
    return (this.#participant?.attributes['lk.agent.state'] as AgentState | undefined) ?? 'away';
  }

  /** Who answers in the room, where the app has several agents. */
  get activeAgent(): { readonly name: string; readonly displayName: string } | undefined {
    const active = this.#participant?.attributes['agent.active'];
    return active === undefined ? undefined : (parseObject(active) as { name: string; displayName: string });
  }

  /** Hears of an event; returns what ends that. */
  on<Name extends keyof RoomAgentEvents>(name: Name, listener: (event: RoomAgentEvents[Name]) => void): () => void {
    return this.#events.on(name, listener);
  }

  /** Resolves when the agent can be written to and called. Throws AgentError (504). */
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

  /** Asks, and gives the answer piece by piece. Sent again under its id where it may not have arrived. */
  ask(text: string, options: AskOptions = {}): Asking {
    const isPrivate = options.private ?? false;
    const list = isPrivate ? this.privateMessages : this.messages;
    const id = newId();
    const { identity, name } = me(this.#room);
    const { replyTo } = options;
    const reply = replyTo === undefined ? {} : { inReplyTo: replyTo, inReplyToSenderId: this.identity };
    list.put({ id, senderId: identity, senderName: name ?? '', role: 'user', text, state: 'sending', ...reply });
    const stop = (): Promise<unknown> => this.stop(id);
    const asking = new Asking(id, list, identity, options.timeout ?? ANSWER_TIMEOUT, stop);
    const files = (options.attachments ?? []).map((file) => ({ file, streamId: newId() }));
    const sent = new Map<string, Attachment>();
    const send = async (): Promise<void> => {
      const streams = files.map(({ streamId }) => streamId);
      await (isPrivate ? this.#sendAside(id, text, streams, options.replyTo) : this.#stream(id, text, streamAttributes(streams, options.replyTo)));
      if (list.get(id, identity)?.state === 'sending') list.put({ id, senderId: identity, role: 'user', state: 'sent' });
      for (const [index, { file, streamId }] of files.entries()) {
        if (sent.has(streamId)) continue;
        const onProgress = (fraction: number): void => options.onProgress?.(index, fraction);
        const { fileId, mimeType, ...stored } = await this.#files.send(file, { private: isPrivate, onProgress }, streamId);
        sent.set(streamId, { ...stored, id: fileId, type: mimeType });
        // Deleted meanwhile, it stays so.
        if (list.get(id, identity)) list.put({ id, senderId: identity, role: 'user', attachments: [...sent.values()] });
      }
    };
    const pending: Pending = { asking, send, attempts: 0, isUnderWay: false, stay: 0 };
    this.#pending.set(id, pending);
    const forget = (): void => void this.#pending.delete(id);
    asking.answer.then(forget, forget);
    void this.#attempt(pending);
    return asking;
  }

  /** Stops one's answer in progress, or that to one message; returns the ids of the messages. */
  async stop(messageId?: string): Promise<readonly string[]> {
    const { stopped } = await this.#object('stopResponse', messageId === undefined ? {} : { messageId });
    return stopped as string[];
  }

  /** Has a message answered again; the new answer takes the former one's place in `messages`. */
  async regenerate(messageId: string): Promise<void> {
    await this.#calls.text('regenerate', { messageId });
  }

  async edit(messageId: string, text: string): Promise<void> {
    await this.#calls.text('editMessage', { messageId, text });
  }

  async delete(messageId: string): Promise<readonly string[]> {
    return (await this.#object('deleteMessage', { messageId }))['deleted'] as string[];
  }

  async feedback(messageId: string, value: 'up' | 'down' | number, comment?: string): Promise<void> {
    await this.#calls.text('sendFeedback', { messageId, value, ...(comment === undefined ? {} : { comment }) });
  }

  /** Puts an emoji on a message, or takes it back. */
  async react(messageId: string, emoji: string, { remove = false } = {}): Promise<void> {
    const senderId = this.messages.get(messageId)?.senderId ?? this.#private?.get(messageId)?.senderId;
    const payload = { emoji, targetMessageId: messageId, targetSenderId: senderId, remove };
    await this.#packets.send({ topic: 'reactions', payload });
  }

  async threads(): Promise<readonly Thread[]> {
    return (await this.#object('listThreads', {}))['threads'] as Thread[];
  }

  async deleteThread(thread: string): Promise<void> {
    await this.#calls.text('deleteThread', { thread });
  }

  async summary(thread = 'room'): Promise<string> {
    return (await this.#object('getSummary', { thread }, { timeout: 60_000 }))['summary'] as string;
  }

  /** Reads older messages into `messages`, or into `privateMessages`; returns whether there are more. */
  async loadOlder({ private: isPrivate = false, limit = 50 } = {}): Promise<boolean> {
    return this.#historyOf(isPrivate ? this.privateMessages : this.messages).loadOlder(limit);
  }

  /** The tools that one may call, with the JSON schemas of their arguments. */
  async tools(): Promise<readonly ToolDescription[]> {
    return (await this.#object('describeTools', {}))['tools'] as ToolDescription[];
  }

  /** Calls a tool or another method; JSON answers come parsed, others as text. Throws AgentError. */
  async call<Answer = unknown>(method: string, payload: unknown = {}, options?: CallOptions): Promise<Answer> {
    return (await this.#calls.value(method, payload, options)) as Answer;
  }

  /** Does something with a data part of an answer: presses its button, sends its form. */
  async act<Answer = unknown>(message: string, part: string, action: string, payload?: object): Promise<Answer> {
    return this.call<Answer>('partAction', { message, part, action, ...(payload ? { payload } : {}) });
  }

  /** Sends a file; resolves once the agent has stored it. Throws AgentError. */
  async sendFile(file: FileToSend, options?: SendFileOptions): Promise<SentFile> {
    return this.#files.send(file, options);
  }

  /** Has the agent send a file again; it comes as `file` event. */
  async requestFile(fileId: string): Promise<void> {
    await this.#calls.text('sendFile', { fileId });
  }

  async moveCursor(x: number, y: number, label?: string): Promise<void> {
    await this.#packets.send({ x, y, ...(label === undefined ? {} : { label }) }, { topic: 'cursor', reliable: false });
  }

  /** Lets the agent listen to one person alone, or to whoever speaks (null). */
  async listenTo(identity: string | null): Promise<void> {
    await this.#calls.text('setListening', { identity });
  }

  /** Answers the agent's questions whether a tool may run. Returns what ends that. */
  onApproval(decide: (approval: Approval) => Decision | Promise<Decision>): () => void {
    return this.#register('approveTool', async (args) => {
      const decision = await decide(args as unknown as Approval);
      return typeof decision === 'boolean' ? { approved: decision } : decision;
    });
  }

  /** Offers the model methods of this client. The token has to allow changing one's own attributes. */
  async offer(offers: Readonly<Record<string, Offer>>): Promise<void> {
    for (const [name, offer] of Object.entries(offers)) {
      if (!this.#offers.has(name)) this.#register(name, async (args) => this.#offers.get(name)?.handler(args));
      this.#offers.set(name, offer);
    }
    const methods = [...this.#offers].map(([name, { description, parameters }]) => ({
      name,
      description,
      ...(parameters === undefined ? {} : { parameters }),
    }));
    await me(this.#room).setAttributes({ 'client.methods': JSON.stringify(methods) });
  }

  /** Stops listening; questions under way fail. The room stays connected. */
  close(): void {
    this.#packets.close();
    this.#isClosed = true;
    for (const off of this.#off.splice(0)) off();
    for (const { asking } of this.#pending.values()) asking.fail(new AgentError(499, 'The client was closed.'));
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
      this.#stay += 1;
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

  #register(method: string, handle: (args: Record<string, unknown>) => Promise<unknown>): () => void {
    const participant = this.#room as RoomLike & Partial<Pick<NonNullable<RoomLike['localParticipant']>, 'registerRpcMethod' | 'unregisterRpcMethod'>>;
    const answer = async ({ callerIdentity, payload }: RpcInvocation): Promise<string> => {
      if (callerIdentity !== this.identity) throw new AgentError(403, 'Only the agent may ask.');
      const value = await handle(parseObject(payload));
      return typeof value === 'string' ? value : JSON.stringify(value ?? null);
    };
    // livekit-client has it on the room, which may not be connected yet; @livekit/rtc-node on the participant.
    const holder = participant.registerRpcMethod ? participant : me(this.#room);
    holder.registerRpcMethod?.(method, answer);
    const off = (): void => holder.unregisterRpcMethod?.(method);
    this.#off.push(off);
    return off;
  }

  /** Another person's message, as it comes. */
  async #readMessage(reader: TextReader, identity: string): Promise<void> {
    let text = '';
    for await (const chunk of reader) text += chunk;
    const { info } = reader;
    const id = (info as { id?: string; streamId?: string }).id ?? (info as { streamId?: string }).streamId ?? newId();
    const { attributes = {}, timestamp } = info;
    const participant = this.#room.remoteParticipants.get(identity);
    if (identity === this.identity) return;
    const { position, in_reply_to: inReplyTo } = attributes;
    this.messages.put({
      id,
      senderId: identity,
      senderName: participant?.name ?? '',
      role: 'user',
      text,
      timestamp,
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
      this.#onNotice(packet);
    }
  }

  #onNotice(notice: Record<string, unknown>): void {
    this.#events.emit('notice', notice);
    const event = String(notice['event']);
    const list = this.#listOf(notice['thread']);
    if (event === 'error') this.#onError(notice);
    else if (event.startsWith('file.')) this.#files.notice(notice);
    else if (event.startsWith('tool.')) this.#onTool(event.slice(5), notice);
    else if (event === 'answer.finished') this.#onFinished(notice);
    else if (event === 'message.edited') {
      for (const id of notice['messageIds'] as string[]) {
        const known = list.get(id, notice['authorId'] as string);
        if (known) list.put({ ...known, text: notice['newText'] as string });
        if (notice['truncated']) this.#run(this.#historyOf(list).read(id, notice['authorId'] as string));
      }
    } else if (event === 'message.deleted') {
      for (const id of notice['messageIds'] as string[]) list.remove(id, notice['authorId'] as string);
    } else if (event === 'thread.deleted') list.clear();
    else if (event === 'state.changed') {
      if (notice['thread'] === 'room') this.shared.changed(notice['revision'] as number);
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
    for (const list of this.#private ? [this.messages, this.#private] : [this.messages]) {
      const known = list.get(segmentId as string, this.identity);
      if (known?.state === 'streaming' || known?.state === 'done') {
        // Spoken, in a packet, or read by somebody else in the app: the question is in the history now.
        if (inReplyTo !== undefined && !list.get(inReplyTo as string, inReplyToSenderId as string)) {
          this.#run(this.#historyOf(list).read(inReplyTo as string, inReplyToSenderId as string));
        }
        return;
      }
    }
    // Neither the stream nor the packets of it came: whichever thread it is in has it.
    this.#run(this.#catchUpThreads());
  }

  #onError(notice: Record<string, unknown>): void {
    const retryAfter = notice['retryAfter'] as number | undefined;
    const error = new AgentError(Number(notice['code']), String(notice['content']), { retryAfter });
    const ids = notice['messageIds'] as string[] | undefined;
    if (error.code === 409 && retryAfter !== undefined && !ids) {
      this.#packets.sendAgain(retryAfter * 1000);
      return;
    }
    for (const id of ids ?? []) {
      const pending = this.#pending.get(id);
      if (!pending) continue;
      if (error.code === 503 && retryAfter === undefined) continue; // Stored: the next agent answers it.
      if (error.code === 409 && retryAfter !== undefined && pending.attempts < ATTEMPTS) {
        setTimeout(() => void this.#attempt(pending), retryAfter * 1000);
      } else {
        pending.asking.fail(error);
      }
    }
    this.#events.emit('error', error);
  }

  async #attempt(pending: Pending): Promise<void> {
    if (pending.asking.isSettled || pending.isUnderWay || this.#isClosed) return;
    pending.attempts += 1;
    pending.isUnderWay = true;
    try {
      await this.ready();
      pending.stay = this.#stay;
      await pending.send();
    } catch (error) {
      // Without a connection it is sent again when there is one.
      if (error instanceof AgentError || pending.attempts >= ATTEMPTS) pending.asking.fail(error);
    } finally {
      pending.isUnderWay = false;
    }
  }

  /** Writes a message as a text stream; with `to`, for these alone. */
  async #stream(id: string, text: string, attributes: Record<string, string>, to?: readonly string[]): Promise<void> {
    const writer = await me(this.#room).streamText({
      topic: this.#chatTopic ?? 'lk.chat',
      streamId: id,
      attributes,
      ...(to === undefined ? {} : { destinationIdentities: [...to] }),
    });
    await writer.write(text);
    await writer.close();
  }

  async #sendAside(id: string, text: string, attachments: string[], replyTo: string | undefined): Promise<void> {
    const packet = {
      type: 'chat',
      id,
      text,
      private: true,
      ...(replyTo === undefined ? {} : { replyTo }),
      ...(attachments.length ? { attachments } : {}),
    };
    if (bytesOf(JSON.stringify(packet)) <= MAX_PACKET) {
      await this.#packets.send(packet, { to: [this.identity] });
    } else if (isNode(this.#room)) {
      throw new AgentError(413, `In Node, a private message may have ${MAX_PACKET} bytes: longer ones would go to the whole room.`);
    } else {
      await this.#stream(id, text, { ...streamAttributes(attachments, replyTo), scope: 'private' }, [this.identity]);
    }
  }

  /** Looks whether the agent has become ready, or says something else now. */
  #look(): void {
    const methods = this.#participant?.attributes['agent.ready'] ?? '';
    this.#events.emit('state', this.state);
    if (methods === this.#methods) return;
    const wasAway = !this.#methods;
    this.#methods = methods;
    if (!methods) return;
    if (wasAway) this.#stay += 1;
    this.#events.emit('ready', methods.split(','));
    if (wasAway) void this.#catchUp();
  }

  #onAgentGone(): void {
    this.#methods = '';
    this.#answers.breakOff();
    this.#events.emit('state', 'away');
  }

  /** After joining, a reconnection, or another agent's arrival: what the history has, and what it has not. */
  async #catchUp(): Promise<void> {
    if (!this.isReady || this.#isClosed) return;
    if (this.shared.revision >= 0) this.#run(this.shared.load());
    await this.#catchUpThreads().catch(() => undefined); // The history may be away; live messages come all the same.
    for (const pending of this.#pending.values()) {
      const { id } = pending.asking;
      const isOpen = [this.messages, this.#private].some((list) => list?.answerTo(id, me(this.#room).identity));
      // The agent leaves aside what it has had under this id, and answers it once.
      if (!isOpen && pending.stay !== this.#stay) void this.#attempt(pending);
    }
  }

  async #catchUpThreads(): Promise<void> {
    await this.#historyOf(this.messages).loadNewest();
    if (this.#private) await this.#historyOf(this.#private).loadNewest();
  }

  async #recover(list: MessageList, segment: string): Promise<void> {
    if (this.#recovering.has(segment)) return;
    this.#recovering.add(segment);
    try {
      for (let attempt = 0; attempt < ATTEMPTS && !this.#isClosed; attempt += 1) {
        await this.ready();
        try {
          await this.#historyOf(list).read(segment, this.identity);
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

  #historyOf(list: MessageList): ThreadHistory {
    let history = this.#histories.get(list);
    if (!history) this.#histories.set(list, (history = new ThreadHistory(this.#calls, list)));
    return history;
  }

  #listOf(thread: unknown): MessageList {
    return typeof thread === 'string' && thread !== 'room' ? this.privateMessages : this.messages;
  }

  async #object(method: string, payload: unknown, options?: CallOptions): Promise<Record<string, unknown>> {
    return (await this.#calls.value(method, payload, options)) as Record<string, unknown>;
  }

  /** Has a failure told: of something that nobody waits for. */
  #run(work: Promise<unknown>): void {
    work.catch((error: unknown) => {
      const message = error instanceof Error ? error.message : String(error);
      this.#events.emit('error', error instanceof AgentError ? error : new AgentError(500, message, { cause: error }));
    });
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

/** Attributes of a message's text stream. */
function streamAttributes(attachments: readonly string[], replyTo: string | undefined): Record<string, string> {
  return {
    ...(replyTo === undefined ? {} : { in_reply_to: replyTo }),
    ...(attachments.length ? { attachments: attachments.join(',') } : {}),
  };
}
