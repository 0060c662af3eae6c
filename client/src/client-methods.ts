/** Methods of this client that the agent calls: those that the model is offered, and the questions of its tools. */

import type { Approval, ApprovalEnd, Decision, Elicitation, ElicitationAnswer, Offer } from './api.js';
import { AgentError, parseObject } from './errors.js';
import { me, type RoomLike, type RpcInvocation } from './room.js';

type Decide = (approval: Approval) => Decision | undefined | Promise<Decision | undefined>;
type MethodHolder = Partial<Pick<NonNullable<RoomLike['localParticipant']>, 'registerRpcMethod' | 'unregisterRpcMethod'>>;

/** Workers of former versions do not say whose call it is. */
const NOBODY = { senderId: '', senderName: '' };

/** Milliseconds in which an agent that comes back asks again; another worker's never asks about the same call. */
const BACK_WITHIN = 20_000;

interface Question {
  readonly approval: Approval;
  readonly decision: Promise<Exclude<Decision, boolean>>;
  /** Ends it without a decision. */
  readonly end: (error: AgentError) => void;
  /** Since the agent has left: ends it unless it is asked again. */
  absence?: ReturnType<typeof setTimeout>;
}

export class ClientMethods {
  readonly #room: RoomLike;
  readonly #agent: string;
  readonly #offers = new Map<string, { offer: Offer; off: () => void }>();
  /** The newest one last. */
  readonly #deciders: Decide[] = [];
  readonly #tellEnd: (end: ApprovalEnd) => void;
  /** By the call's id. A decision is kept until the question is over: its answer may be lost with the connection, and the
   * agent asks again. */
  readonly #deciding = new Map<string, Question>();
  #stopDeciding: (() => void) | undefined;
  #announced = '[]';

  /** `tellEnd` hears of questions that are over without the agent saying so. */
  constructor(room: RoomLike, agent: string, tellEnd: (end: ApprovalEnd) => void) {
    this.#room = room;
    this.#agent = agent;
    this.#tellEnd = tellEnd;
  }

  onApproval(decide: Decide): () => void {
    this.#stopDeciding ??= this.#register('approveTool', async (args) => this.#decide({ ...NOBODY, ...args } as unknown as Approval));
    this.#deciders.push(decide);
    return () => {
      const index = this.#deciders.indexOf(decide);
      if (index >= 0) this.#deciders.splice(index, 1);
      if (this.#deciders.length) return;
      this.#stopDeciding?.();
      this.#stopDeciding = undefined;
    };
  }

  onElicitation(answer: (question: Elicitation) => ElicitationAnswer | Promise<ElicitationAnswer>): () => void {
    return this.#register('elicit', async (args) => answer(args as unknown as Elicitation));
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

  /** A question is over: somebody has decided, or nobody has in time. Without an id, all of them are. */
  ended(callId?: string): void {
    const over = new AgentError(409, 'The question is over.');
    for (const [id, { end }] of this.#deciding) if (callId === undefined || id === callId) end(over);
  }

  /** The agent has left, or the connection was lost, which looks the same. It asks again when it is back; who takes over from
   * a worker that died does not, since the model makes new calls. */
  agentLeft(): void {
    for (const question of this.#deciding.values()) {
      question.absence ??= setTimeout(() => this.#withdraw(question.approval), BACK_WITHIN);
    }
  }

  close(): void {
    this.#stopDeciding?.();
    this.ended();
    for (const { off } of this.#offers.values()) off();
    this.#offers.clear();
  }

  /** A call that is asked about again, such as after a new connection, is decided once. */
  #decide(approval: Approval): Promise<Exclude<Decision, boolean>> {
    const { callId } = approval;
    const known = this.#deciding.get(callId);
    if (known) {
      clearTimeout(known.absence);
      delete known.absence;
      return known.decision;
    }
    for (const { approval: former, absence } of this.#deciding.values()) {
      // The next agent answers the same message, and its model makes new calls.
      if (absence !== undefined && isOfSameMessage(former, approval)) this.#withdraw(former);
    }
    let reject: (error: AgentError) => void = () => undefined;
    const over = new Promise<never>((_, refuse) => (reject = refuse));
    const end = (error: AgentError): void => {
      clearTimeout(timer);
      clearTimeout(this.#deciding.get(callId)?.absence);
      this.#deciding.delete(callId);
      reject(error);
    };
    const timer = setTimeout(() => end(new AgentError(504, 'Nobody here has decided in time.')), approval.timeout * 1000);
    const decision = Promise.race([this.#askApp(approval), over]);
    this.#deciding.set(callId, { approval, decision, end });
    decision.catch(end); // Who could not decide may be asked again.
    return decision;
  }

  /** The agent has left without a word about the question, and has not asked again. */
  #withdraw({ callId, tool }: Approval): void {
    this.ended(callId);
    this.#tellEnd({ callId, tool, outcome: 'cancelled', text: 'The agent has left.' });
  }

  async #askApp(approval: Approval): Promise<Exclude<Decision, boolean>> {
    for (const decide of [...this.#deciders].reverse()) {
      const decision = await decide(approval);
      if (decision !== undefined) return typeof decision === 'boolean' ? { approved: decision } : decision;
    }
    throw new AgentError(503, 'Nobody here decides on this call.');
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

const isOfSameMessage = (one: Approval, other: Approval): boolean =>
  one.messageId === other.messageId && one.senderId === other.senderId;
