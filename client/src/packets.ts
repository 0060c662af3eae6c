/** Packets to the room, repeated to the agent if it could not identify their sender. */

import { publish, type RoomLike, type Sending } from './room.js';

/** Milliseconds by which the room server may delay the announcement of a participant. */
const UNANNOUNCED = 5_000;
const MAX_KEPT = 100;
const ATTEMPTS = 3;

interface Sent {
  readonly content: unknown;
  readonly topic: string | undefined;
  readonly at: number;
  readonly attempts: number;
}

/**
 * livekit-server announces participants without tracks up to three seconds late. Until then the agent's SDK cannot
 * name the sender of a packet, and asks all newcomers to repeat theirs (docs/wire-contract.md of the worker, 409). It
 * recognizes repeated packets by their ids, or applying them again, in order, changes nothing.
 */
export class Packets {
  readonly #room: RoomLike;
  readonly #agent: string;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Packets sent since then are repeated when the timer ends. */
  #since = 0;
  #sent: Sent[] = [];

  constructor(room: RoomLike, agent: string) {
    this.#room = room;
    this.#agent = agent;
  }

  async send(content: unknown, sending: Sending = {}): Promise<void> {
    if (sending.reliable !== false) this.#keep({ content, topic: sending.topic, at: Date.now(), attempts: 1 });
    await publish(this.#room, content, sending);
  }

  /** The agent could not identify the sender of some packets: repeats those of the last seconds in `after` ms, and those sent
   * until then, since the former must not overtake them. */
  sendAgain(after: number): void {
    if (this.#timer !== undefined) return;
    this.#since = Date.now() - UNANNOUNCED;
    this.#prune(this.#since);
    if (!this.#sent.length) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const again = this.#sent.filter(({ attempts }) => attempts < ATTEMPTS);
      this.#sent = again.map((packet) => ({ ...packet, at: Date.now(), attempts: packet.attempts + 1 }));
      for (const { content, topic } of again) {
        const sending = { to: [this.#agent], ...(topic === undefined ? {} : { topic }) };
        // Without a connection, the code that waits for the answer sends the message again.
        publish(this.#room, content, sending).catch(() => undefined);
      }
    }, after);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#sent = [];
  }

  #keep(packet: Sent): void {
    if (isClear(packet)) {
      // Others may have drawn since: a wipe is never repeated, nor is what it has wiped.
      this.#sent = this.#sent.filter(({ topic }) => topic !== packet.topic);
      return;
    }
    this.#prune(this.#timer === undefined ? packet.at - UNANNOUNCED : this.#since);
    this.#sent = this.#sent.slice(1 - MAX_KEPT);
    this.#sent.push(packet);
  }

  #prune(since: number): void {
    this.#sent = this.#sent.filter(({ at }) => at > since);
  }
}

/** Whether it wipes the whiteboard. */
function isClear({ content, topic }: Sent): boolean {
  return topic === 'whiteboard' && (content as { content?: { op?: unknown } }).content?.op === 'clear';
}
