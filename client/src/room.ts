/**
 * The part of a room that this package uses, and that livekit-client (browsers, React Native) and
 * @livekit/rtc-node (Node) have in common. Neither is imported.
 */

export interface StreamInfo {
  readonly attributes?: Record<string, string>;
  readonly name?: string;
  readonly mimeType: string;
  readonly timestamp: number;
}

export interface TextReader extends AsyncIterable<string> {
  readonly info: StreamInfo;
}

export interface ByteReader extends AsyncIterable<Uint8Array> {
  readonly info: StreamInfo;
}

export interface ParticipantLike {
  readonly identity: string;
  readonly name?: string | undefined;
  readonly attributes: Readonly<Record<string, string>>;
}

export interface WriterLike<T> {
  write(piece: T): Promise<void>;
  close(): Promise<void>;
}

export interface RpcInvocation {
  readonly callerIdentity: string;
  readonly payload: string;
}

/* eslint-disable @typescript-eslint/no-explicit-any -- both SDKs have their own types for these */
export interface LocalParticipantLike extends ParticipantLike {
  publishData(data: Uint8Array, options: any): Promise<void>;
  streamText(options?: any): Promise<WriterLike<string>>;
  sendText(text: string, options?: any): Promise<unknown>;
  streamBytes(options?: any): Promise<WriterLike<Uint8Array>>;
  performRpc(call: any): PromiseLike<string>;
  registerRpcMethod(method: string, handler: (invocation: any) => Promise<string>): void;
  unregisterRpcMethod(method: string): void;
  setAttributes(attributes: Record<string, string>): Promise<void>;
}

export interface RoomLike {
  readonly localParticipant?: LocalParticipantLike | undefined;
  readonly remoteParticipants: ReadonlyMap<string, ParticipantLike>;
  on(event: any, listener: any): unknown;
  off(event: any, listener: any): unknown;
  registerTextStreamHandler(topic: string, handler: any): void;
  unregisterTextStreamHandler(topic: string): void;
  registerByteStreamHandler(topic: string, handler: any): void;
  unregisterByteStreamHandler(topic: string): void;
}
/* eslint-enable @typescript-eslint/no-explicit-any */

export interface Sending {
  topic?: string;
  reliable?: boolean;
  to?: readonly string[];
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export const decode = (bytes: Uint8Array): string => decoder.decode(bytes);
export const bytesOf = (text: string): number => encoder.encode(text).length;

/** livekit-client's Room can play sound; that of @livekit/rtc-node cannot. */
export const isNode = (room: RoomLike): boolean => !('startAudio' in room);

export function me(room: RoomLike): LocalParticipantLike {
  if (!room.localParticipant?.identity) throw new Error('The room is not connected.');
  return room.localParticipant;
}

/** Sends a JSON packet; the two SDKs name its addressees differently. */
export function publish(room: RoomLike, content: unknown, { topic, reliable = true, to }: Sending = {}): Promise<void> {
  return me(room).publishData(encoder.encode(JSON.stringify(content)), {
    reliable,
    ...(topic === undefined ? {} : { topic }),
    ...(to === undefined ? {} : { destinationIdentities: [...to], destination_identities: [...to] }),
  });
}

/** Returns the SHA-256 in hex; undefined without SubtleCrypto (React Native, pages without HTTPS). */
export async function sha256(bytes: Uint8Array): Promise<string | undefined> {
  const subtle = (globalThis as { crypto?: Crypto }).crypto?.subtle;
  if (!subtle) return undefined;
  const digest = await subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export const encode = (text: string): Uint8Array => encoder.encode(text);

export function newId(): string {
  const random = (globalThis as { crypto?: Crypto }).crypto;
  if (random?.randomUUID) return random.randomUUID();
  return Array.from({ length: 32 }, () => Math.floor(Math.random() * 16).toString(16)).join('');
}
