/** Packets to the room, sent to the agent again where it could not tell whose they were. */

import { publish, type RoomLike, type Sending } from './room.js';

/** ms for which the room server may keep it from the agent that somebody is there. */
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
 * name the sender of a packet, and the agent asks all newcomers to send theirs again (docs/wire-contract.md of the
 * worker, 409): all that it has twice by that, it knows by their ids, or are the same the second time, in their order.
 */
export class Packets {
  readonly #room: RoomLike;
  readonly #agent: string;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Packets since then go again when the timer ends. */
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

  /** The agent could not tell whose some packets were: those of the last seconds go to it again, `after` ms, and so do
   * those that are sent until then, as the former ones must not overtake them. */
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
        // Without a connection, a message is sent again by who waits for its answer.
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
      // Others may have drawn since: it goes once, and what it has wiped away does not come back.
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
