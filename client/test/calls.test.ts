import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AgentError, RoomAgent, type ElicitationAnswer } from '../src/index.js';
import { FakeRoom } from './fake-room.js';
import { pass, settle } from './quiet.js';

let room: FakeRoom;
let agent: RoomAgent;

beforeEach(() => {
  vi.useFakeTimers();
  room = new FakeRoom();
  agent = new RoomAgent(room);
  room.agentArrives();
});

afterEach(() => {
  agent.close();
  vi.useRealTimers();
});

describe('calls', () => {
  it('give JSON, or text', async () => {
    room.answer = (method) => (method === 'ping' ? { pong: 5 } : 'noon');
    expect(await agent.call('ping')).toEqual({ pong: 5 });
    expect(await agent.call('getCurrentTime')).toBe('noon');
  });

  it('are put together where the answer comes in packets, also after the response', async () => {
    room.answer = () => '{"packet": "answer_1", "parts": 2}';
    const called = agent.call('getHistory', { thread: 'private:ana' });
    await settle();
    room.packet('rpc', { type: 'rpcAnswer', id: 'answer_1', part: 2, parts: 2, text: ':[]}' });
    room.packet('rpc', { type: 'rpcAnswer', id: 'answer_1', part: 1, parts: 2, text: '{"messages"' });
    expect(await called).toEqual({ messages: [] });
  });

  it('fail with a code, and what there is to act on', async () => {
    room.answer = () => {
      const data = JSON.stringify({ fields: { city: 'required' }, retryAfter: 2 });
      throw Object.assign(new Error('wrong'), { code: 400, data });
    };
    const error = await agent.call('getWeather').catch((failure: unknown) => failure);
    expect(error).toBeInstanceOf(AgentError);
    expect(error).toMatchObject({ code: 400, retryAfter: 2, fields: { city: 'required' }, isTemporary: true });
  });

  it('do not count the time in which their tools ask this client', async () => {
    const methods = new Map<string, (invocation: object) => Promise<string>>();
    room.localParticipant.registerRpcMethod = (method, handler) => void methods.set(method, handler);
    const performed = vi.spyOn(room.localParticipant, 'performRpc').mockImplementation(() => new Promise(() => undefined));
    const called = (): Promise<unknown> => agent.call('bookTable', {}, { timeout: 1_000 }).catch((error: unknown) => error);
    void called();
    expect(performed.mock.calls[0]?.[0]).toMatchObject({ responseTimeout: 1_000 });
    let answer: (given: ElicitationAnswer) => void = () => undefined;
    const off = agent.onElicitation(() => new Promise((resolve) => (answer = resolve)));
    let failure: unknown;
    void called().then((error) => (failure = error));
    expect(performed.mock.calls[1]?.[0].responseTimeout).toBeGreaterThan(100_000);
    await vi.advanceTimersByTimeAsync(900);
    const question = { questionId: 'c.1', callId: 'c', tool: 'bookTable', message: 'For how many?', messageId: '', timeout: 60 };
    const asked = methods.get('elicit')?.({ callerIdentity: 'agent', payload: JSON.stringify(question) });
    await vi.advanceTimersByTimeAsync(50_000);
    expect(failure).toBeUndefined();
    answer({ action: 'decline' });
    await asked;
    const offApprovals = agent.onApproval(() => new Promise(() => undefined));
    const others = { ...question, description: '', arguments: {}, senderId: 'bob', senderName: '' };
    methods.get('approveTool')?.({ callerIdentity: 'agent', payload: JSON.stringify(others) }).catch(() => undefined);
    await vi.advanceTimersByTimeAsync(99);
    expect(failure).toBeUndefined();
    await vi.advanceTimersByTimeAsync(2);
    expect(failure).toMatchObject({ code: 1502, isTemporary: true });
    off();
    offApprovals();
    void called();
    expect(performed.mock.calls[2]?.[0]).toMatchObject({ responseTimeout: 1_000 });
  });
});

describe('notices', () => {
  it('change what is shown', async () => {
    const asking = agent.ask('Helo');
    await settle();
    const about = { thread: 'room', messageIds: [asking.id], authorId: 'ana' };
    room.packet('system', { event: 'message.edited', newText: 'Hello', ...about });
    expect(agent.messages.get(asking.id)?.text).toBe('Hello');
    const change = { event: 'reactions.changed', thread: 'room', messageId: asking.id, messageSenderId: 'ana', emoji: '👍' };
    const react = (count: number, reactedBy: string, removed: boolean): void =>
      room.packet('system', { ...change, reactedBy, removed, reactions: [{ emoji: '👍', count }, { emoji: '🎉', count: 1 }] });
    react(1, 'bob', false);
    react(2, 'ana', false);
    expect(agent.messages.get(asking.id)?.reactions).toEqual([
      { emoji: '👍', count: 2, identities: ['bob', 'ana'] },
      { emoji: '🎉', count: 1, identities: [] },
    ]);
    react(1, 'bob', true);
    expect(agent.messages.get(asking.id)?.reactions?.[0]).toEqual({ emoji: '👍', count: 1, identities: ['ana'] });
    room.packet('system', { event: 'message.deleted', ...about });
    expect(agent.messages.items).toEqual([]);
  });
});

it('shows nothing of an erased participant, nor the answers to them', async () => {
  const base = { role: 'user', text: 'x' } as const;
  agent.messages.put({ ...base, id: 'b', senderId: 'bob' });
  agent.messages.put({ ...base, id: 'a', senderId: 'agent', role: 'assistant', inReplyTo: 'b', inReplyToSenderId: 'bob' });
  agent.messages.put({ ...base, id: 'c', senderId: 'carl' });
  room.packet('system', { event: 'author.erased', thread: 'room', authorId: 'bob' });
  expect(agent.messages.items.map(({ id }) => id)).toEqual(['c']);
});

describe('approvals', () => {
  const question = { callId: 'TC_1', tool: 'refund', description: '', arguments: {}, messageId: 'm-1', senderId: 'bob', senderName: '', timeout: 60 };
  let askToApprove: (asked?: object) => Promise<unknown>;

  beforeEach(() => {
    (room.localParticipant as { registerRpcMethod: unknown }).registerRpcMethod = (
      _: string,
      handle: (invocation: object) => Promise<string>,
    ) => {
      askToApprove = async (asked = question) => JSON.parse(await handle({ callerIdentity: 'agent', payload: JSON.stringify(asked) }));
    };
  });

  it('are decided once, however often a call is asked about', async () => {
    let decide: (approved: boolean) => void = () => undefined;
    const decider = vi.fn(() => new Promise<boolean>((resolve) => (decide = resolve)));
    agent.onApproval(decider);
    const asked = [askToApprove(), askToApprove()];
    await settle();
    decide(true);
    expect(await Promise.all(asked)).toEqual([{ approved: true }, { approved: true }]);
    expect(decider).toHaveBeenCalledOnce();
  });

  it('are over when somebody else has decided', async () => {
    const ends: unknown[] = [];
    agent.on('approvalEnd', (end) => ends.push(end));
    agent.onApproval(() => new Promise<boolean>(() => undefined));
    const asked = askToApprove().catch((error: unknown) => error);
    await settle();
    room.packet('system', { event: 'approval.ended', callId: 'TC_1', tool: 'refund', outcome: 'refused', by: 'tom', content: 'no' });
    expect(await asked).toMatchObject({ code: 409 });
    expect(ends).toMatchObject([{ callId: 'TC_1', outcome: 'refused', by: 'tom', text: 'no' }]);
  });

  it.each(['before', 'after'])('keep a decision made %s everybody is back after a lost connection', async (moment) => {
    let decide: (approved: boolean) => void = () => undefined;
    const decider = vi.fn(() => new Promise<boolean>((resolve) => (decide = resolve)));
    agent.onApproval(decider);
    const lost = askToApprove();
    await settle();
    room.agentLeaves();
    if (moment === 'before') decide(true);
    await settle();
    room.agentArrives();
    const again = askToApprove();
    await settle();
    decide(true);
    expect(await again).toEqual({ approved: true });
    expect(await lost).toEqual({ approved: true });
    expect(decider).toHaveBeenCalledOnce();
    room.packet('system', { event: 'approval.ended', callId: 'TC_1', tool: 'refund', outcome: 'approved', by: 'ana', content: '' });
    const another = askToApprove();
    await settle();
    decide(false);
    expect(await another).toEqual({ approved: false });
    expect(decider).toHaveBeenCalledTimes(2);
  });

  it('are over where the agent has left and does not ask again', async () => {
    const ends: unknown[] = [];
    agent.on('approvalEnd', (end) => ends.push(end));
    const decider = vi.fn(() => new Promise<boolean>(() => undefined));
    agent.onApproval(decider);
    const asked = askToApprove().catch((error: unknown) => error);
    await settle();
    room.agentLeaves();
    room.agentArrives();
    await pass(19_000);
    const again = askToApprove().catch((error: unknown) => error);
    await pass(10_000);
    expect(ends).toEqual([]);
    room.agentLeaves();
    await pass(20_000);
    expect(await Promise.all([asked, again])).toMatchObject([{ code: 409 }, { code: 409 }]);
    expect(ends).toMatchObject([{ callId: 'TC_1', tool: 'refund', outcome: 'cancelled' }]);
    expect(decider).toHaveBeenCalledOnce();
  });

  it('are over when the next agent asks about the same message', async () => {
    const ends: unknown[] = [];
    agent.on('approvalEnd', (end) => ends.push(end));
    const decider = vi.fn(({ callId }) => (callId === 'TC_1' ? new Promise<boolean>(() => undefined) : true));
    agent.onApproval(decider);
    const asked = [question, { ...question, callId: 'TC_2', messageId: 'another' }].map((each) =>
      askToApprove(each).catch((error: unknown) => error),
    );
    await settle();
    room.agentLeaves();
    room.agentArrives();
    expect(await askToApprove({ ...question, callId: 'TC_3' })).toEqual({ approved: true });
    expect(await asked[0]).toMatchObject({ code: 409 });
    expect(await asked[1]).toEqual({ approved: true });
    expect(ends).toMatchObject([{ callId: 'TC_1', outcome: 'cancelled' }]);
  });

  it('are over, without a decision, once their time is', async () => {
    const decider = vi.fn(() => new Promise<boolean>(() => undefined));
    agent.onApproval(decider);
    const asked = askToApprove().catch((error: unknown) => error);
    await pass(60_000);
    expect(await asked).toMatchObject({ code: 504 });
    const again = askToApprove().catch((error: unknown) => error);
    expect(decider).toHaveBeenCalledTimes(2);
    agent.close();
    expect(await again).toMatchObject({ code: 409 });
  });

  it('are asked about again where nobody could decide', async () => {
    const off = agent.onApproval(() => undefined);
    await expect(askToApprove()).rejects.toMatchObject({ code: 503 });
    agent.onApproval(() => true);
    off();
    expect(await askToApprove()).toEqual({ approved: true });
  });

  it('say that nobody is known where an older worker does not name the sender', async () => {
    const decider = vi.fn(() => false);
    agent.onApproval(decider);
    const { senderId: _, senderName: __, ...older } = question;
    await askToApprove(older);
    expect(decider).toHaveBeenCalledWith({ ...older, senderId: '', senderName: '' });
  });
});

describe('questions of tools', () => {
  const question = { questionId: 'TC_1.1', callId: 'TC_1', tool: 'book', message: 'For how many?', messageId: 'm', timeout: 60 };
  const ended = { event: 'elicitation.ended', questionId: 'TC_1.1', callId: 'TC_1', tool: 'book', outcome: 'accept', content: '' };
  let methods: Map<string, (invocation: object) => Promise<string>>;
  const ask = async (asked: object = question, callerIdentity = 'agent'): Promise<unknown> =>
    JSON.parse((await methods.get('elicit')?.({ callerIdentity, payload: JSON.stringify(asked) })) ?? 'null');

  beforeEach(() => {
    methods = new Map();
    Object.assign(room.localParticipant, {
      registerRpcMethod: (method: string, handle: (invocation: object) => Promise<string>) => void methods.set(method, handle),
      unregisterRpcMethod: (method: string) => void methods.delete(method),
    });
  });

  it('are answered by the app', async () => {
    const ends: unknown[] = [];
    agent.on('elicitationEnd', (end) => ends.push(end));
    agent.onElicitation(({ tool, message }) => ({ action: 'accept', content: { text: `${tool}: ${message}` } }));
    expect(await ask()).toEqual({ action: 'accept', content: { text: 'book: For how many?' } });
    await expect(ask(question, 'bob')).rejects.toMatchObject({ code: 403 });
    room.packet('system', ended);
    expect(ends).toMatchObject([{ questionId: 'TC_1.1', callId: 'TC_1', tool: 'book', outcome: 'accept', text: '' }]);
  });

  it('are put once, and their answer is kept, over a lost connection', async () => {
    let answer: (content: object) => void = () => undefined;
    const answering = vi.fn(
      () => new Promise<ElicitationAnswer>((resolve) => (answer = (content) => resolve({ action: 'accept', content: { ...content } }))),
    );
    agent.onElicitation(answering);
    const lost = ask();
    await settle();
    room.agentLeaves();
    answer({ guests: 4 });
    expect(await lost).toEqual({ action: 'accept', content: { guests: 4 } });
    room.agentArrives();
    expect(await ask()).toEqual({ action: 'accept', content: { guests: 4 } });
    expect(answering).toHaveBeenCalledOnce();
    const second = ask({ ...question, questionId: 'TC_1.2' });
    await settle();
    answer({});
    expect(await second).toEqual({ action: 'accept', content: {} });
  });

  it('are over when the agent says so, or has left and does not ask again', async () => {
    const ends: unknown[] = [];
    agent.on('elicitationEnd', (end) => ends.push(end));
    agent.onElicitation(() => new Promise<ElicitationAnswer>(() => undefined));
    const first = ask().catch((error: unknown) => error);
    room.packet('system', { ...ended, outcome: 'cancelled' });
    expect(await first).toMatchObject({ code: 409 });
    // Tools that people call have no message: those of another agent's say nothing about them.
    const [second, third] = ['TC_2', 'TC_3'].map((callId) =>
      ask({ ...question, questionId: `${callId}.1`, callId, messageId: '' }).catch((error: unknown) => error),
    );
    room.agentLeaves();
    room.agentArrives();
    void ask({ ...question, questionId: 'TC_4.1', callId: 'TC_4', messageId: '' }).catch(() => undefined);
    await settle();
    expect(ends).toHaveLength(1);
    await pass(20_000);
    expect(await Promise.all([second, third])).toMatchObject([{ code: 409 }, { code: 409 }]);
    expect(ends).toMatchObject([{ outcome: 'cancelled' }, { questionId: 'TC_2.1', outcome: 'cancelled' }, { questionId: 'TC_3.1' }]);
  });

  it('come no more once the client is closed', async () => {
    agent.onElicitation(() => new Promise<ElicitationAnswer>(() => undefined));
    const asked = ask().catch((error: unknown) => error);
    expect([...methods.keys()]).toEqual(['elicit']);
    agent.close();
    expect(await asked).toMatchObject({ code: 409 });
    expect([...methods.keys()]).toEqual([]);
  });
});

describe('shared state', () => {
  it('is read again after changes, once for all that come meanwhile', async () => {
    let revision = 1;
    room.answer = (method) => (method === 'getState' ? { state: { n: revision }, revision } : {});
    await agent.shared.load();
    expect(agent.shared.value).toEqual({ n: 1 });
    revision = 3;
    const before = room.calls.length;
    room.packet('system', { event: 'state.changed', thread: 'room', revision: 2 });
    room.packet('system', { event: 'state.changed', thread: 'room', revision: 3 });
    await settle();
    expect(agent.shared.value).toEqual({ n: 3 });
    expect(room.calls.length).toBeLessThanOrEqual(before + 2);
  });

  it('is not read as long as nobody wants it', async () => {
    room.packet('system', { event: 'state.changed', thread: 'room', revision: 2 });
    await settle();
    expect(room.calls.filter(({ method }) => method === 'getState')).toEqual([]);
  });
});
