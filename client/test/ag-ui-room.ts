/** An AG-UI agent over a room without a server, anew for each test. */

import type { BaseEvent, Message } from '@ag-ui/client';
import { afterEach, beforeEach, expect, vi } from 'vitest';
import { AgUiAgent } from '../src/ag-ui/index.js';
import { RoomAgent } from '../src/index.js';
import { FakeRoom, type FakeStream } from './fake-room.js';

export let room: FakeRoom;
export let roomAgent: RoomAgent;
export let agent: AgUiAgent;
export let events: BaseEvent[];
const partsOf = new WeakMap<FakeStream, FakeStream>();
const methods = new Map<string, (invocation: { callerIdentity: string; payload: string }) => Promise<string>>();

beforeEach(() => {
  room = new FakeRoom();
  methods.clear();
  room.localParticipant.registerRpcMethod = (method, handler) => void methods.set(method, handler);
  room.localParticipant.unregisterRpcMethod = (method) => void methods.delete(method);
  roomAgent = new RoomAgent(room);
  room.agentArrives();
  agent = new AgUiAgent(roomAgent);
  events = [];
  agent.subscribe({ onEvent: ({ event }) => void events.push(event) });
});

afterEach(() => roomAgent.close());

/** The id of a question, once it is sent. */
export const sent = (number = 1): Promise<string> =>
  vi.waitFor(() => {
    const question = room.sent[number - 1];
    if (!question) throw new Error(`there is no question ${number}`);
    return question.id;
  });

/** Begins the answer to a question; in one segment for each. */
export function begin(question: string, segment = `SG_${question}`): { text: FakeStream; parts: FakeStream } {
  const head = { 'lk.segment_id': segment, in_reply_to: question, in_reply_to_sender: 'ana', scope: 'room' };
  const text = room.stream('llm-response', head);
  const parts = room.stream('agent.parts', head);
  partsOf.set(text, parts);
  return { text, parts };
}

export const types = (): string[] => events.map(({ type }) => type);
export const told = (type: string): Promise<unknown> => vi.waitFor(() => expect(types()).toContain(type));
export const asked = (id: string, content: string): Message => ({ id, role: 'user', content });

/** Whether the agent can call a method of this client. */
export const has = (method: string): boolean => methods.has(method);

/** Calls a method of this client, as the agent does. */
export const call = (method: string, args: object): Promise<string> =>
  (methods.get(method) as NonNullable<ReturnType<typeof methods.get>>)({ callerIdentity: 'agent', payload: JSON.stringify(args) });

/** Answers a question, and waits for the end of its run. */
export async function answered(run: Promise<unknown>, answer: string, number = 1): Promise<void> {
  const { text } = begin(await sent(number));
  await ended(run, text, answer);
}

/** Writes the rest of an answer, and waits for the end of its run. */
export async function ended(run: Promise<unknown>, text: FakeStream, rest: string): Promise<void> {
  text.write(rest);
  text.end({ finish_reason: 'stop' });
  partsOf.get(text)?.end();
  await run;
}
