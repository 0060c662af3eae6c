/** The threads that the user can see: the room's, and the private one with the agent. */

import type { Calls } from './calls.js';
import { ThreadHistory } from './history.js';
import { MessageList } from './messages.js';
import { me, type RoomLike } from './room.js';

export class Threads {
  readonly room = new MessageList('room');
  readonly #room: RoomLike;
  readonly #calls: Calls;
  readonly #histories = new Map<MessageList, ThreadHistory>();
  #own: MessageList | undefined;

  constructor(room: RoomLike, calls: Calls) {
    this.#room = room;
    this.#calls = calls;
  }

  /** The private thread; its name is known once the room is connected. */
  get own(): MessageList {
    this.#own ??= new MessageList(`private:${me(this.#room).identity}`);
    return this.#own;
  }

  /** The threads in use. */
  get used(): readonly MessageList[] {
    return this.#own ? [this.room, this.#own] : [this.room];
  }

  /** The thread that a notice names. */
  named(thread: unknown): MessageList {
    return typeof thread === 'string' && thread !== 'room' ? this.own : this.room;
  }

  history(list: MessageList): ThreadHistory {
    let history = this.#histories.get(list);
    if (!history) this.#histories.set(list, (history = new ThreadHistory(this.#calls, list)));
    return history;
  }

  /** Reads the newest page of each thread in use. */
  async loadNewest(): Promise<void> {
    for (const list of this.used) await this.history(list).loadNewest();
  }
}
