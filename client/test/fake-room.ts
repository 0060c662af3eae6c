/** A room without a server, for what takes faults that a real one seldom has. */

import type { LocalParticipantLike, ParticipantLike, RoomLike, TextReader } from '../src/room.js';

type Listener = (...args: unknown[]) => void;
type TextHandler = (reader: TextReader, from: { identity: string }) => void;

export class FakeRoom implements RoomLike {
  readonly remoteParticipants = new Map<string, ParticipantLike>();
  readonly startAudio = true;
  readonly sent: { id: string; text: string; to?: string[] }[] = [];
  readonly calls: { method: string; payload: Record<string, unknown> }[] = [];
  /** Answers RPC calls, at once or by a promise. */
  answer: (method: string, payload: Record<string, unknown>) => unknown = (method) =>
    method === 'getHistory' ? { messages: [] } : {};
  #listeners = new Map<string, Set<Listener>>();
  #handlers = new Map<string, TextHandler>();

  readonly localParticipant: LocalParticipantLike = {
    identity: 'ana',
    name: 'Ana A.',
    attributes: {},
    publishData: async (data: Uint8Array) => {
      const packet = JSON.parse(new TextDecoder().decode(data)) as { id: string; text: string };
      this.sent.push(packet);
    },
    streamText: async ({ streamId }: { streamId: string }) => ({
      write: async (text: string) => void this.sent.push({ id: streamId, text }),
      close: async () => undefined,
    }),
    sendText: async () => undefined,
    streamBytes: async () => ({ write: async () => undefined, close: async () => undefined }),
    performRpc: async ({ method, payload }: { method: string; payload: string }) => {
      const args = JSON.parse(payload) as Record<string, unknown>;
      this.calls.push({ method, payload: args });
      const value = await this.answer(method, args);
      return typeof value === 'string' ? value : JSON.stringify(value);
    },
    registerRpcMethod: () => undefined,
    unregisterRpcMethod: () => undefined,
    setAttributes: async () => undefined,
  };

  on(event: string, listener: Listener): void {
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners.add(listener));
  }

  off(event: string, listener: Listener): void {
    this.#listeners.get(event)?.delete(listener);
  }

  emit(event: string, ...args: unknown[]): void {
    for (const listener of [...(this.#listeners.get(event) ?? [])]) listener(...args);
  }

  registerTextStreamHandler(topic: string, handler: TextHandler): void {
    this.#handlers.set(topic, handler);
  }

  unregisterTextStreamHandler(topic: string): void {
    this.#handlers.delete(topic);
  }

  registerByteStreamHandler(): void {}
  unregisterByteStreamHandler(): void {}

  /** The agent arrives, ready. */
  agentArrives(): void {
    this.remoteParticipants.set('agent', {
      identity: 'agent',
      name: 'Agent',
      attributes: { 'agent.ready': 'ping', 'lk.agent.state': 'listening' },
    });
    this.emit('participantConnected');
  }

  agentLeaves(): void {
    const agent = this.remoteParticipants.get('agent');
    this.remoteParticipants.delete('agent');
    this.emit('participantDisconnected', agent);
  }

  packet(topic: string, content: object, identity = 'agent'): void {
    const bytes = new TextEncoder().encode(JSON.stringify(content));
    this.emit('dataReceived', bytes, { identity, name: '', attributes: {} }, 0, topic);
  }

  /** A text stream, whose pieces the test sends. */
  stream(topic: string, attributes: Record<string, string>, identity = 'agent', id?: string): FakeStream {
    const stream = new FakeStream({ ...attributes }, id);
    this.#handlers.get(topic)?.(stream, { identity });
    return stream;
  }
}

export class FakeStream implements TextReader {
  readonly info;
  #pieces: string[] = [];
  #wake: () => void = () => undefined;
  #end: 'open' | 'ended' | Error = 'open';

  constructor(attributes: Record<string, string>, id?: string) {
    this.info = { attributes, mimeType: 'text/plain', timestamp: 1, ...(id === undefined ? {} : { id }) };
  }

  write(piece: string): void {
    this.#pieces.push(piece);
    this.#wake();
  }

  end(trailer: Record<string, string> = {}): void {
    Object.assign(this.info.attributes, trailer);
    this.#end = 'ended';
    this.#wake();
  }

  fail(): void {
    this.#end = new Error('it broke off');
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<string> {
    for (;;) {
      const piece = this.#pieces.shift();
      if (piece !== undefined) yield piece;
      else if (this.#end === 'ended') return;
      else if (this.#end instanceof Error) throw this.#end;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
