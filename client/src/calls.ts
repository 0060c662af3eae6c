/** Calls of the agent's RPC methods (docs/wire-contract.md, "RPC methods"). */

import { AgentError, asAgentError, parseObject } from './errors.js';
import { Patience } from './patience.js';
import { me, type RoomLike } from './room.js';
import type { Methods, RpcAnswerPart } from './wire.js';

export interface CallOptions {
  /** Milliseconds to wait for a response; 15,000 by default. While the call's tool asks this client, no time passes. */
  timeout?: number;
}

/** Milliseconds that the agent has on top of the caller's timeout, for its tool's questions. */
const QUESTIONS_TAKE = 600_000;

/** Responses in packets that nobody has asked for yet. */
const MAX_WAITING = 64;

interface Packets {
  texts: Map<number, string>;
  wake: () => void;
}

export class Calls {
  readonly #room: RoomLike;
  readonly #agent: string;
  readonly patience = new Patience();
  #packets = new Map<string, Packets>();

  constructor(room: RoomLike, agent: string) {
    this.#room = room;
    this.#agent = agent;
  }

  /** Handles a packet of topic `rpc`. */
  take(packet: Record<string, unknown>): void {
    const { id, part, text } = packet as Partial<RpcAnswerPart>;
    if (typeof id !== 'string' || typeof part !== 'number' || typeof text !== 'string') return;
    const packets = this.#of(id);
    packets.texts.set(part, text);
    packets.wake();
  }

  /** Returns the text of a response. Throws AgentError. */
  async text(method: string, payload: unknown = {}, { timeout = 15_000 }: CallOptions = {}): Promise<string> {
    const mayAsk = this.patience.handlers > 0;
    try {
      const performed = me(this.#room).performRpc({
        destinationIdentity: this.#agent,
        method,
        payload: typeof payload === 'string' ? payload : JSON.stringify(payload),
        responseTimeout: mayAsk ? timeout + QUESTIONS_TAKE : timeout,
      });
      const response = await (mayAsk ? this.patience.limit(timeout, performed) : performed);
      return response.startsWith('{"packet":') ? await this.#inPackets(response, timeout) : response;
    } catch (error) {
      throw asAgentError(error);
    }
  }

  /** Returns the response of one of the agent's own methods. Throws AgentError. */
  async own<Name extends keyof Methods>(
    method: Name,
    request: Methods[Name]['request'],
    options?: CallOptions,
  ): Promise<Methods[Name]['answer']> {
    return (await this.value(method, request, options)) as Methods[Name]['answer'];
  }

  /** Returns a response as parsed JSON, or as text if it is not JSON. */
  async value(method: string, payload?: unknown, options?: CallOptions): Promise<unknown> {
    const text = await this.text(method, payload, options);
    try {
      return JSON.parse(text);
    } catch {
      return text;
    }
  }

  async #inPackets(response: string, timeout: number): Promise<string> {
    const { packet, parts } = parseObject(response);
    if (typeof packet !== 'string' || typeof parts !== 'number') return response;
    const packets = this.#of(packet);
    try {
      // They were sent before the response, but the SDK may deliver them after it.
      const deadline = Date.now() + timeout;
      while (packets.texts.size < parts) {
        if (Date.now() >= deadline) throw new AgentError(504, 'The answer did not arrive whole.');
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, deadline - Date.now());
          packets.wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      return Array.from({ length: parts }, (_, index) => packets.texts.get(index + 1) ?? '').join('');
    } finally {
      this.#packets.delete(packet);
    }
  }

  #of(id: string): Packets {
    let packets = this.#packets.get(id);
    if (!packets) {
      packets = { texts: new Map(), wake: () => undefined };
      this.#packets.set(id, packets);
      const oldest = this.#packets.keys().next().value;
      if (this.#packets.size > MAX_WAITING && oldest !== undefined) this.#packets.delete(oldest);
    }
    return packets;
  }
}
