/** WireLog: what goes over the wire between this page and the room, as it goes. */

import { RoomEvent, type RemoteParticipant, type Room } from 'livekit-client';

export type WireKind = 'text' | 'bytes' | 'packet' | 'rpc';

export interface WireEntry {
  readonly id: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly direction: 'in' | 'out';
  readonly kind: WireKind;
  /** Topic, or method. */
  readonly name: string;
  readonly with: string;
  readonly state: 'open' | 'done' | 'failed';
  /** Milliseconds from its beginning to its end. */
  readonly took: number;
  readonly size: number;
  /** Header, payload, answer: for reading. */
  readonly detail: Readonly<Record<string, unknown>>;
}

const MOST = 400;
const LONGEST = 4000;

type Change = Partial<Pick<WireEntry, 'state' | 'size' | 'detail'>>;

export class WireLog {
  #entries: readonly WireEntry[] = [];
  #listeners = new Set<() => void>();
  #count = 0;

  get entries(): readonly WireEntry[] {
    return this.#entries;
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  };

  clear(): void {
    this.#entries = [];
    this.#tell();
  }

  /** Notes something; returns what notes how it goes on. */
  begin(entry: Omit<WireEntry, 'id' | 'at' | 'took' | 'state' | 'size'> & Change): (change: Change) => void {
    const id = this.#count++;
    const at = Date.now();
    this.#entries = [...this.#entries, { state: 'open' as const, size: 0, ...entry, id, at, took: 0 }].slice(-MOST);
    this.#tell();
    return (change) => {
      this.#entries = this.#entries.map((each) =>
        each.id === id ? { ...each, ...change, detail: { ...each.detail, ...change.detail }, took: Date.now() - at } : each,
      );
      this.#tell();
    };
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

const short = (text: string): string => (text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text);
const decoder = new TextDecoder();
const sizeOf = (piece: string | Uint8Array): number => (typeof piece === 'string' ? new Blob([piece]).size : piece.length);

/** Watches a room by its public methods and events, before anybody uses it. */
export function watchWire(room: Room): WireLog {
  const log = new WireLog();
  watchPackets(room, log);
  watchIncoming(room, log);
  watchOutgoing(room, log);
  return log;
}

function watchPackets(room: Room, log: WireLog): void {
  room.on(RoomEvent.DataReceived, (payload: Uint8Array, from?: RemoteParticipant, _kind?: unknown, topic?: string) => {
    const detail = { text: short(decoder.decode(payload)) };
    log.begin({ direction: 'in', kind: 'packet', name: topic ?? '', with: from?.identity ?? '', state: 'done', size: payload.length, detail });
  });
}

interface Reader {
  readonly info: { readonly attributes?: Record<string, string> };
  [Symbol.asyncIterator](): AsyncIterator<string | Uint8Array>;
}

/** A reader that notes what is read. */
function watched<R extends Reader>(reader: R, kind: 'text' | 'bytes', topic: string, from: string, log: WireLog): R {
  const { attributes = {}, ...info } = reader.info;
  const note = log.begin({ direction: 'in', kind, name: topic, with: from, detail: { ...info, attributes } });
  async function* pieces(): AsyncGenerator<string | Uint8Array> {
    let size = 0;
    let text = '';
    try {
      for await (const piece of { [Symbol.asyncIterator]: () => reader[Symbol.asyncIterator]() }) {
        size += sizeOf(piece);
        if (typeof piece === 'string' && text.length < LONGEST) text += piece;
        note({ size });
        yield piece;
      }
      note({ state: 'done', size, detail: { attributes: reader.info.attributes ?? {}, ...(kind === 'text' ? { text: short(text) } : {}) } });
    } catch (error) {
      note({ state: 'failed', size, detail: { error: String(error) } });
      throw error;
    }
  }
  return new Proxy(reader, {
    get: (target, key) => {
      if (key === Symbol.asyncIterator) return pieces;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(target) : value;
    },
  });
}

function watchIncoming(room: Room, log: WireLog): void {
  const text = room.registerTextStreamHandler.bind(room);
  room.registerTextStreamHandler = (topic, handler) =>
    text(topic, (reader, from) => handler(watched(reader as unknown as Reader, 'text', topic, from.identity, log) as unknown as typeof reader, from));
  const bytes = room.registerByteStreamHandler.bind(room);
  room.registerByteStreamHandler = (topic, handler) =>
    bytes(topic, (reader, from) => handler(watched(reader as unknown as Reader, 'bytes', topic, from.identity, log) as unknown as typeof reader, from));
  const rpc = room.registerRpcMethod.bind(room);
  room.registerRpcMethod = (method, handler) =>
    rpc(method, async (invocation) => {
      const { payload, callerIdentity } = invocation;
      const note = log.begin({ direction: 'in', kind: 'rpc', name: method, with: callerIdentity, size: sizeOf(payload), detail: { payload: short(payload) } });
      return noted(handler(invocation), note);
    });
}

async function noted(work: PromiseLike<string>, note: (change: Change) => void): Promise<string> {
  try {
    const answer = await work;
    note({ state: 'done', detail: { answer: short(answer) } });
    return answer;
  } catch (error) {
    note({ state: 'failed', detail: { error: String(error), code: (error as { code?: unknown }).code } });
    throw error;
  }
}

function watchOutgoing(room: Room, log: WireLog): void {
  const me = room.localParticipant;
  const publishData = me.publishData.bind(me);
  me.publishData = async (data, options) => {
    const detail = { text: short(decoder.decode(data)), ...options };
    log.begin({ direction: 'out', kind: 'packet', name: options?.topic ?? '', with: (options?.destinationIdentities ?? []).join(', '), state: 'done', size: data.length, detail });
    await publishData(data, options);
  };
  const streamText = me.streamText.bind(me);
  me.streamText = async (options) => {
    const writer = await streamText(options);
    const note = log.begin({ direction: 'out', kind: 'text', name: options?.topic ?? '', with: (options?.destinationIdentities ?? []).join(', '), detail: { ...options } });
    return watchedWriter(writer, note);
  };
  const streamBytes = me.streamBytes.bind(me);
  me.streamBytes = async (options) => {
    const writer = await streamBytes(options);
    const note = log.begin({ direction: 'out', kind: 'bytes', name: options?.topic ?? '', with: (options?.destinationIdentities ?? []).join(', '), detail: { ...options } });
    return watchedWriter(writer, note);
  };
  const performRpc = me.performRpc.bind(me);
  me.performRpc = ((call: Parameters<typeof performRpc>[0]) => {
    const { method, destinationIdentity, payload } = call;
    const note = log.begin({ direction: 'out', kind: 'rpc', name: method, with: destinationIdentity, size: sizeOf(payload), detail: { payload: short(payload) } });
    return noted(performRpc(call), note);
  }) as typeof me.performRpc;
}

interface Writer<T> {
  write(piece: T): Promise<void>;
  close(): Promise<void>;
}

function watchedWriter<T extends string | Uint8Array, W extends Writer<T>>(writer: W, note: (change: Change) => void): W {
  let size = 0;
  let text = '';
  const [write, close] = [writer.write.bind(writer), writer.close.bind(writer)];
  writer.write = async (piece: T) => {
    await write(piece);
    size += sizeOf(piece);
    if (typeof piece === 'string' && text.length < LONGEST) text += piece;
    note({ size });
  };
  writer.close = async () => {
    await close();
    note({ state: 'done', size, ...(text ? { detail: { text: short(text) } } : {}) });
  };
  return writer;
}
