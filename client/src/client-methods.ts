/** Methods of this client that the agent calls: those that the model is offered, and the questions of its tools. */

import type { Approval, Decision, Elicitation, ElicitationAnswer, Offer, RoomAgentEvents } from './api.js';
import { AskedQuestions } from './asked.js';
import type { Emitter } from './emitter.js';
import { AgentError, parseObject } from './errors.js';
import type { Patience } from './patience.js';
import { me, type RoomLike, type RpcInvocation } from './room.js';

type MethodHolder = Partial<Pick<NonNullable<RoomLike['localParticipant']>, 'registerRpcMethod' | 'unregisterRpcMethod'>>;

/** Workers of former versions do not say whose call it is. */
const NOBODY = { senderId: '', senderName: '' };

const HAS_LEFT = { outcome: 'cancelled', text: 'The agent has left.' } as const;

export class ClientMethods {
  readonly approvals: AskedQuestions<Approval, Decision>;
  readonly elicitations: AskedQuestions<Elicitation, ElicitationAnswer>;
  readonly #room: RoomLike;
  readonly #agent: string;
  readonly #offers = new Map<string, { offer: Offer; off: () => void }>();
  #announced = '[]';

  constructor(room: RoomLike, agent: string, events: Emitter<RoomAgentEvents>, patience: Patience) {
    this.#room = room;
    this.#agent = agent;
    const ask = (method: string, handle: (args: Record<string, unknown>) => Promise<unknown>): (() => void) => {
      // A question without a message is about a call, and of this client's unless it names somebody else.
      const isOwn = ({ messageId, senderId }: Record<string, unknown>): boolean =>
        !messageId && (senderId === undefined || senderId === room.localParticipant?.identity);
      const off = this.#register(method, (args) => (isOwn(args) ? patience.asked(handle(args)) : handle(args)));
      patience.handlers += 1;
      return () => {
        patience.handlers -= 1;
        off();
      };
    };
    const approve = async (args: object): Promise<unknown> => {
      const decision = await this.approvals.ask({ ...NOBODY, ...args } as Approval);
      return typeof decision === 'boolean' ? { approved: decision } : decision;
    };
    this.approvals = new AskedQuestions<Approval, Decision>(
      ({ callId }) => callId,
      () => ask('approveTool', approve),
      ({ callId, tool }) => events.emit('approvalEnd', { callId, tool, ...HAS_LEFT }),
    );
    this.elicitations = new AskedQuestions<Elicitation, ElicitationAnswer>(
      ({ questionId }) => questionId,
      () => ask('elicit', (args) => this.elicitations.ask(args as unknown as Elicitation)),
      ({ questionId, callId, tool }) => events.emit('elicitationEnd', { questionId, callId, tool, ...HAS_LEFT }),
    );
  }

  async offer(offers: Readonly<Record<string, Offer>>, withdrawn: Iterable<string>): Promise<void> {
    for (const name of withdrawn) {
      this.#offers.get(name)?.off();
      this.#offers.delete(name);
    }
    for (const [name, offer] of Object.entries(offers)) {
      const off = this.#offers.get(name)?.off ?? this.#register(name, async (args) => this.#offers.get(name)?.offer.handler(args));
      this.#offers.set(name, { offer, off });
    }
    const methods = [...this.#offers].map(([name, { offer: { description, parameters } }]) => ({
      name,
      description,
      ...(parameters === undefined ? {} : { parameters }),
    }));
    const announced = JSON.stringify(methods);
    if (announced === this.#announced) return;
    await me(this.#room).setAttributes({ 'client.methods': announced });
    this.#announced = announced;
  }

  agentLeft(): void {
    this.approvals.agentLeft();
    this.elicitations.agentLeft();
  }

  close(): void {
    this.approvals.close();
    this.elicitations.close();
    for (const { off } of this.#offers.values()) off();
    this.#offers.clear();
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
    return () => holder.unregisterRpcMethod?.(method);
  }
}
