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
 * worker, 409): all that it has twice by that, it knows by their ids, or are the same the second time.
 */
export class Packets {
  readonly #room: RoomLike;
  readonly #agent: string;
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  #sent: Sent[] = [];

  constructor(room: RoomLike, agent: string) {
    this.#room = room;
    this.#agent = agent;
  }

  async send(content: unknown, sending: Sending = {}): Promise<void> {
    if (sending.reliable !== false) this.#keep({ content, topic: sending.topic, at: Date.now(), attempts: 1 });
    await publish(this.#room, content, sending);
  }

  /** The agent could not tell whose some packets were: those of the last seconds go to it again, `after` ms. */
  sendAgain(after: number): void {
    const unsure = this.#sent.filter(({ at }) => Date.now() - at < UNANNOUNCED);
    this.#sent = [];
    if (!unsure.length) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      for (const { content, topic, attempts } of unsure) {
        if (attempts < ATTEMPTS) this.#keep({ content, topic, at: Date.now(), attempts: attempts + 1 });
        const sending = { to: [this.#agent], ...(topic === undefined ? {} : { topic }) };
        // Without a connection, a message is sent again by who waits for its answer.
        publish(this.#room, content, sending).catch(() => undefined);
      }
    }, after);
    this.#timers.add(timer);
  }

  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#sent = [];
  }

  #keep(packet: Sent): void {
    this.#sent = this.#sent.filter(({ at }) => packet.at - at < UNANNOUNCED).slice(1 - MAX_KEPT);
    this.#sent.push(packet);
  }
}
