/** Methods of this client that the agent calls: those that the model is offered, and the question for approval. */

import type { Approval, Decision, Offer } from './api.js';
import { AgentError, parseObject } from './errors.js';
import { me, type RoomLike, type RpcInvocation } from './room.js';

type MethodHolder = Partial<Pick<NonNullable<RoomLike['localParticipant']>, 'registerRpcMethod' | 'unregisterRpcMethod'>>;

export class ClientMethods {
  readonly #room: RoomLike;
  readonly #agent: string;
  readonly #offers = new Map<string, Offer>();
  readonly #off: (() => void)[] = [];

  constructor(room: RoomLike, agent: string) {
    this.#room = room;
    this.#agent = agent;
  }

  onApproval(decide: (approval: Approval) => Decision | Promise<Decision>): () => void {
    return this.#register('approveTool', async (args) => {
      const decision = await decide(args as unknown as Approval);
      return typeof decision === 'boolean' ? { approved: decision } : decision;
    });
  }

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

  close(): void {
    for (const off of this.#off.splice(0)) off();
  }

  #register(method: string, handle: (args: Record<string, unknown>) => Promise<unknown>): () => void {
    const answer = async ({ callerIdentity, payload }: RpcInvocation): Promise<string> => {
      if (callerIdentity !== this.#agent) throw new AgentError(403, 'Only the agent may ask.');
      const value = await handle(parseObject(payload));
      return typeof value === 'string' ? value : JSON.stringify(value ?? null);
    };
    // livekit-client has it on the room, which may not be connected yet; @livekit/rtc-node on the participant.
    const room = this.#room as MethodHolder;
    const holder: MethodHolder = room.registerRpcMethod ? room : me(this.#room);
    holder.registerRpcMethod?.(method, answer);
    const off = (): void => holder.unregisterRpcMethod?.(method);
    this.#off.push(off);
    return off;
  }
}
