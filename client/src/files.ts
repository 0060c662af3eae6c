/** Files to the agent and from it (docs/files.md of the worker). */

import { AgentError } from './errors.js';
import { me, newId, sha256, type ByteReader, type RoomLike } from './room.js';
import type { FilePiece, FileProgress, FileReceived, FileRefused, SentFile } from './wire.js';

export interface FileToSend {
  /** Needed unless `content` is a File, which has its own name and type. */
  data: Blob | Uint8Array;
  name?: string;
  mimeType?: string;
}

export interface SendFileOptions {
  /** For the user's private thread. In Node, the SDK still sends the content to the whole room. */
  private?: boolean;
  /** Called with the fraction that the SDK has accepted, from 0 to 1. */
  onProgress?: (fraction: number) => void;
  /** Milliseconds to wait for news from the agent once all is sent; 60,000 by default. */
  timeout?: number;
}

export type { SentFile } from './wire.js';

/** A file that the agent sent. */
export interface ReceivedFile extends SentFile {
  readonly bytes: Uint8Array;
  readonly inReplyTo?: string | undefined;
  readonly isPrivate: boolean;
}

interface Waiting {
  resolve: (file: SentFile) => void;
  reject: (error: Error) => void;
  heard: () => void;
}

const PIECE = 64 * 1024;
const FILES_TOPIC = 'files';
/** Maximum size of a file in packets; the agent sends larger ones as streams. */
const MAX_IN_PACKETS = 10 * 1024 * 1024;

export class Files {
  readonly #room: RoomLike;
  readonly #agent: string;
  readonly #received: (file: ReceivedFile) => void;
  #waiting = new Map<string, Waiting>();
  #packets = new Map<string, { pieces: Map<number, string>; size: number }>();

  constructor(room: RoomLike, agent: string, received: (file: ReceivedFile) => void) {
    this.#room = room;
    this.#agent = agent;
    this.#received = received;
  }

  /** Sends a file under a stream id, which a message may have named already. Throws AgentError. */
  async send(file: FileToSend, options: SendFileOptions = {}, streamId = newId()): Promise<SentFile> {
    const { data } = file;
    const size = data instanceof Uint8Array ? data.length : data.size;
    const given = data as { name?: string; type?: string };
    const stored = this.#outcome(streamId, options.timeout ?? 60_000);
    stored.catch(() => undefined); // It may be refused while it is still being sent.
    const mimeType = file.mimeType ?? (given.type || 'application/octet-stream');
    const writer = await me(this.#room).streamBytes({
      streamId,
      name: file.name ?? given.name ?? 'file',
      mimeType,
      topic: FILES_TOPIC,
      totalSize: size,
      ...(options.private ? { attributes: { scope: 'private' }, destinationIdentities: [this.#agent] } : {}),
    });
    for (let at = 0; at < size; at += PIECE) {
      const piece =
        data instanceof Uint8Array
          ? data.subarray(at, at + PIECE)
          : new Uint8Array(await data.slice(at, at + PIECE).arrayBuffer());
      await writer.write(piece);
      this.#waiting.get(streamId)?.heard();
      options.onProgress?.(Math.min(at + PIECE, size) / size);
    }
    await writer.close();
    return stored;
  }

  /** Handles a notice about a file sent from here. */
  notice(notice: FileProgress | FileReceived | FileRefused): void {
    const waiting = this.#waiting.get(notice.streamId);
    if (!waiting) return;
    switch (notice.event) {
      case 'file.progress':
        return waiting.heard();
      case 'file.received': {
        const { fileId, name, mimeType, size, sha256: hash } = notice;
        return waiting.resolve({ fileId, name, mimeType, size, sha256: hash });
      }
      case 'file.refused':
        return waiting.reject(new AgentError(notice.code, notice.content, { retryAfter: notice.retryAfter }));
    }
  }

  /** Reads a byte stream of the agent. */
  async read(reader: ByteReader): Promise<void> {
    const pieces: Uint8Array[] = [];
    for await (const piece of reader) pieces.push(piece);
    const { attributes = {}, name = 'file', mimeType } = reader.info;
    const bytes = joined(pieces);
    await this.#deliver({
      fileId: attributes['file_id'] ?? '',
      name,
      mimeType,
      size: bytes.length,
      sha256: attributes['sha256'] ?? '',
      bytes,
      inReplyTo: attributes['in_reply_to'],
      isPrivate: attributes['scope'] === 'private',
    });
  }

  /** Handles a packet with a piece of a private file. */
  take(packet: Record<string, unknown>): void {
    const piece = packet as unknown as FilePiece;
    const { type, fileId, seq, total, data } = piece;
    if (type !== 'file' || typeof data !== 'string') return;
    const known = this.#packets.get(fileId) ?? { pieces: new Map<number, string>(), size: 0 };
    this.#packets.set(fileId, known);
    known.pieces.set(seq, data);
    known.size += data.length;
    if (known.size > 2 * MAX_IN_PACKETS) this.#packets.delete(fileId);
    if (known.pieces.size < total) return;
    this.#packets.delete(fileId);
    const pieces = [...known.pieces.entries()].sort(([a], [b]) => a - b).map(([, text]) => fromBase64(text));
    const { name, mimeType, size, sha256: hash, inReplyTo } = piece;
    void this.#deliver({ fileId, name, mimeType, size, sha256: hash, bytes: joined(pieces), inReplyTo, isPrivate: true });
  }

  async #deliver(file: ReceivedFile): Promise<void> {
    const found = await sha256(file.bytes);
    if (found !== undefined && file.sha256 && found !== file.sha256) return; // Another file's, or damaged.
    this.#received(file);
  }

  #outcome(streamId: string, timeout: number): Promise<SentFile> {
    return new Promise<SentFile>((resolve, reject) => {
      let timer: ReturnType<typeof setTimeout>;
      const end = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(streamId);
      };
      const heard = (): void => {
        clearTimeout(timer);
        timer = setTimeout(() => {
          end();
          reject(new AgentError(504, 'The agent does not say that it has the file.'));
        }, timeout);
      };
      heard();
      this.#waiting.set(streamId, {
        heard,
        resolve: (file) => {
          end();
          resolve(file);
        },
        reject: (error) => {
          end();
          reject(error);
        },
      });
    });
  }
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(pieces.reduce((size, piece) => size + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

const fromBase64 = (text: string): Uint8Array => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

