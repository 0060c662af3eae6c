import type { BaseEvent, Message } from '@ag-ui/client';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AgUiAgent } from '../src/ag-ui/index.js';
import { AgentError, RoomAgent } from '../src/index.js';
import { FakeRoom, type FakeStream } from './fake-room.js';

let room: FakeRoom;
let roomAgent: RoomAgent;
let agent: AgUiAgent;
let events: BaseEvent[];
const methods = new Map<string, (invocation: { callerIdentity: string; payload: string }) => Promise<string>>();

beforeEach(() => {
  room = new FakeRoom();
  methods.clear();
  room.localParticipant.registerRpcMethod = (method, handler) => void methods.set(method, handler);
  roomAgent = new RoomAgent(room);
  room.agentArrives();
  agent = new AgUiAgent(roomAgent);
  events = [];
  agent.subscribe({ onEvent: ({ event }) => void events.push(event) });
});

afterEach(() => roomAgent.close());

const sent = (number = 1): Promise<string> =>
  vi.waitFor(() => {
    const question = room.sent[number - 1];
    if (!question) throw new Error(`there is no question ${number}`);
    return question.id;
  });

/** Begins the answer to a question; in one segment for each. */
function begin(question: string, segment = `SG_${question}`): { text: FakeStream; parts: FakeStream } {
  const head = { 'lk.segment_id': segment, in_reply_to: question, in_reply_to_sender: 'ana', scope: 'room' };
  return { text: room.stream('llm-response', head), parts: room.stream('agent.parts', head) };
}

const types = (): string[] => events.map(({ type }) => type);
const told = (type: string): Promise<unknown> => vi.waitFor(() => expect(types()).toContain(type));
const asked = (id: string, content: string): Message => ({ id, role: 'user', content });

/** Calls a method of this client, as the agent does. */
const call = (method: string, args: object): Promise<string> =>
  (methods.get(method) as NonNullable<ReturnType<typeof methods.get>>)({ callerIdentity: 'agent', payload: JSON.stringify(args) });

describe('a run', () => {
  it('is a question with its answer', async () => {
    agent.addMessage(asked('m1', 'What time is it?'));
    const run = agent.runAgent();
    const { text } = begin(await sent());
    text.write('It is ');
    await told('TEXT_MESSAGE_CONTENT');
    text.write('noon.');
    text.end({ finish_reason: 'stop' });
    await run;
    expect(room.sent[0]?.text).toBe('What time is it?');
    expect(types()).toEqual([
      'RUN_STARTED',
      'TEXT_MESSAGE_START',
      'TEXT_MESSAGE_CONTENT',
      'TEXT_MESSAGE_CONTENT',
      'TEXT_MESSAGE_END',
      'RUN_FINISHED',
    ]);
    expect(agent.messages.at(-1)).toMatchObject({ role: 'assistant', content: 'It is noon.' });
  });

  it('shows calls of tools, reasoning and what else an answer has beside its text', async () => {
    agent.addMessage(asked('m1', 'Weather?'));
    const run = agent.runAgent();
    const { text, parts } = begin(await sent());
    parts.write('{"id":"r","type":"reasoning","text":"Rome, "}\n{"id":"r","append":"they say"}\n');
    await told('REASONING_MESSAGE_CONTENT');
    parts.write('{"id":"c","type":"tool-call","name":"getWeather","state":"running","arguments":{"city":"Rome"}}\n');
    await told('TOOL_CALL_END');
    parts.write('{"id":"c","type":"tool-call","name":"getWeather","state":"done","result":"sunny"}\n');
    await told('TOOL_CALL_RESULT');
    text.write('Sunny.');
    await told('TEXT_MESSAGE_CONTENT');
    parts.write('{"id":"s","type":"source","title":"Weather","url":"https://weather.example"}\n');
    await told('ACTIVITY_SNAPSHOT');
    parts.end();
    text.end({ finish_reason: 'stop' });
    await run;
    expect(agent.messages.slice(1)).toMatchObject([
      { role: 'reasoning', content: 'Rome, they say' },
      { role: 'assistant', toolCalls: [{ function: { name: 'getWeather', arguments: '{"city":"Rome"}' } }] },
      { role: 'tool', content: 'sunny' },
      { role: 'assistant', content: 'Sunny.' },
      { role: 'activity', activityType: 'source', content: { title: 'Weather' } },
    ]);
  });

  it('fails with what the agent says', async () => {
    const errors: unknown[] = [];
    agent.subscribe({ onRunErrorEvent: ({ event }) => void errors.push(event) });
    agent.addMessage(asked('m1', 'x'));
    const run = agent.runAgent().catch(() => undefined);
    const question = await sent();
    room.packet('system', { event: 'error', code: 429, content: 'Too many messages.', messageIds: [question] });
    await run;
    expect(errors).toMatchObject([{ message: 'Too many messages.', code: '429' }]);
  });

  it('ends as cancelled when it is aborted', async () => {
    agent.addMessage(asked('m1', 'Count.'));
    const run = agent.runAgent();
    const question = await sent();
    const { text } = begin(question);
    text.write('One, ');
    await told('TEXT_MESSAGE_CONTENT');
    agent.abortRun();
    await vi.waitFor(() => expect(room.calls).toContainEqual({ method: 'stopResponse', payload: { messageId: question } }));
    text.end({ finish_reason: 'cancelled' });
    await run;
    expect(events.at(-1)).toMatchObject({ type: 'RUN_FINISHED', outcome: { type: 'cancelled' } });
  });

  it('takes back what an answer has said that is given again', async () => {
    agent.addMessage(asked('m1', 'Count.'));
    const run = agent.runAgent();
    const question = await sent();
    const first = begin(question);
    first.text.write('One, two');
    await told('TEXT_MESSAGE_CONTENT');
    first.text.end();
    const second = begin(question);
    second.text.write('Eins');
    second.text.end({ finish_reason: 'stop' });
    await run;
    expect(types()).toContain('MESSAGES_SNAPSHOT');
    expect(agent.messages).toMatchObject([{ role: 'user' }, { role: 'assistant', content: 'Eins' }]);
  });

  it('sends media parts as attachments', async () => {
    const streams = vi.spyOn(room.localParticipant, 'streamBytes');
    const image = { type: 'image', source: { type: 'data', value: btoa('png'), mimeType: 'image/png' }, metadata: { filename: 'cat.png' } } as const;
    agent.addMessage({ id: 'm1', role: 'user', content: [{ type: 'text', text: 'What is it?' }, image] });
    const run = agent.runAgent();
    const { text } = begin(await sent());
    text.write('A cat.');
    text.end({ finish_reason: 'stop' });
    await run;
    expect(room.sent[0]?.text).toBe('What is it?');
    expect(streams.mock.calls[0]?.[0]).toMatchObject({ name: 'cat.png', mimeType: 'image/png' });
  });

  it('answers a message again that was asked before, and an edited one as edited', async () => {
    agent.addMessage(asked('m1', 'Count.'));
    const first = agent.runAgent();
    const question = await sent();
    const { text } = begin(question);
    text.write('One.');
    text.end({ finish_reason: 'stop' });
    await first;
    for (const [content, method] of [
      ['Count.', 'regenerate'],
      ['Count on.', 'editMessage'],
    ] as const) {
      agent.setMessages([asked('m1', content)]);
      const run = agent.runAgent();
      await vi.waitFor(() => expect(room.calls.at(-1)).toMatchObject({ method, payload: { messageId: question } }));
      const again = begin(question);
      again.text.write(`${method}: two.`);
      again.text.end({ finish_reason: 'stop' });
      await run;
      expect(agent.messages.at(-1)).toMatchObject({ content: `${method}: two.` });
    }
    expect(room.sent).toHaveLength(1);
  });
});

describe('what is asked', () => {
  it('leaves out what others wrote, and what was asked before', async () => {
    roomAgent.messages.put({ id: 'b1', senderId: 'bob', role: 'user', text: 'Lunch?' });
    agent.setMessages([asked('b1', 'Lunch?'), asked('m1', 'Agent, what time'), asked('m2', 'is it?')]);
    const run = agent.runAgent();
    const { text } = begin(await sent());
    text.write('Noon.');
    text.end({ finish_reason: 'stop' });
    await run;
    expect(room.sent.map((each) => each.text)).toEqual(['Agent, what time\n\nis it?']);
  });

  it('is asked anew where the agent did not accept it', async () => {
    agent.addMessage(asked('m1', 'Hello'));
    const refused = agent.runAgent().catch(() => undefined);
    room.packet('system', { event: 'error', code: 413, content: 'Too long.', messageIds: [await sent()] });
    await refused;
    const run = agent.runAgent();
    const { text } = begin(await sent(2));
    text.write('Hi.');
    text.end({ finish_reason: 'stop' });
    await run;
    expect(agent.messages.at(-1)).toMatchObject({ content: 'Hi.' });
    expect(room.calls.map(({ method }) => method)).not.toContain('regenerate');
  });

  it('goes on in another run after one that was detached', async () => {
    agent.addMessage(asked('m1', 'Count.'));
    const first = agent.runAgent();
    const { text } = begin(await sent());
    text.write('One, ');
    await told('TEXT_MESSAGE_CONTENT');
    await agent.detachActiveRun();
    await first;
    const second = agent.runAgent();
    text.write('two.');
    text.end({ finish_reason: 'stop' });
    await second;
    expect(agent.messages).toMatchObject([{ role: 'user' }, { content: 'One, ' }, { content: 'two.' }]);
    expect(room.sent).toHaveLength(1);
  });
});

describe("the application's tools", () => {
  const tools = [{ name: 'pickColor', description: 'Asks for a color.', parameters: { type: 'object', properties: {} } }];

  it('are offered; a call ends the run, and the next one brings its result', async () => {
    const attributes = vi.spyOn(room.localParticipant, 'setAttributes');
    agent.addMessage(asked('m1', 'Paint it.'));
    const first = agent.runAgent({ tools });
    const { text } = begin(await sent());
    expect(JSON.parse(attributes.mock.calls[0]?.[0]['client.methods'] as string)).toEqual(tools);
    text.write('Which color? ');
    await told('TEXT_MESSAGE_CONTENT');
    const result = call('pickColor', { shade: 'dark' });
    await first;
    const calling = agent.messages.at(-1);
    expect(calling).toMatchObject({ role: 'assistant', toolCalls: [{ function: { name: 'pickColor', arguments: '{"shade":"dark"}' } }] });
    const toolCallId = calling?.role === 'assistant' ? (calling.toolCalls?.[0]?.id as string) : '';
    agent.addMessage({ id: 't1', role: 'tool', toolCallId, content: 'navy' });
    const second = agent.runAgent({ tools });
    expect(await result).toBe('navy');
    text.write('Navy it is.');
    text.end({ finish_reason: 'stop' });
    await second;
    expect(agent.messages.at(-1)).toMatchObject({ role: 'assistant', content: 'Navy it is.' });
    expect(room.sent).toHaveLength(1);
    expect(attributes).toHaveBeenCalledTimes(1);
  });

  it('are withdrawn when the application has them no more', async () => {
    const attributes = vi.spyOn(room.localParticipant, 'setAttributes');
    for (const [number, offered] of [tools, [], []].entries()) {
      agent.addMessage(asked(`m${number}`, 'Go on.'));
      const run = agent.runAgent({ tools: offered });
      const { text } = begin(await sent(number + 1));
      text.write('Yes.');
      text.end({ finish_reason: 'stop' });
      await run;
    }
    expect(attributes.mock.calls.map(([given]) => given['client.methods'])).toEqual([JSON.stringify(tools), '[]']);
  });

  it('are refused without a run', async () => {
    agent.addMessage(asked('m1', 'Paint it.'));
    const run = agent.runAgent({ tools });
    const { text } = begin(await sent());
    text.write('Done.');
    text.end({ finish_reason: 'stop' });
    await run;
    await expect(call('pickColor', {})).rejects.toMatchObject({ code: 503 });
  });

  it('are left out, and the run goes on, where the token does not allow them', async () => {
    room.localParticipant.setAttributes = async () => Promise.reject(new Error('does not have permission'));
    agent.addMessage(asked('m1', 'Paint it.'));
    const run = agent.runAgent({ tools });
    const { text } = begin(await sent());
    text.write('Done.');
    text.end({ finish_reason: 'stop' });
    await run;
    expect(events).toContainEqual(expect.objectContaining({ type: 'CUSTOM', name: 'tools-not-offered' }));
    expect(agent.messages.at(-1)).toMatchObject({ content: 'Done.' });
  });
});

const approvalFor = (messageId: string): object => ({
  callId: 'c',
  tool: 'buy',
  description: 'Buys a thing.',
  arguments: { price: 5 },
  messageId,
  timeout: 30,
});

describe('approvals', () => {
  it.each([
    [{ status: 'resolved', payload: { approved: true } } as const, { approved: true }],
    [{ status: 'resolved', payload: { approved: false, reason: 'too dear' } } as const, { approved: false, reason: 'too dear' }],
    [{ status: 'cancelled' } as const, { approved: false }],
  ])('are interrupts: %j', async (answer, decision) => {
    agent.addMessage(asked('m1', 'Buy it.'));
    const first = agent.runAgent();
    const question = await sent();
    const { text } = begin(question);
    const decided = call('approveTool', approvalFor(question));
    await first;
    expect(agent.pendingInterrupts).toMatchObject([{ reason: 'approval', message: 'Buys a thing.', metadata: { tool: 'buy', arguments: { price: 5 } } }]);
    const second = agent.runAgent({ resume: [{ interruptId: agent.pendingInterrupts[0]?.id as string, ...answer }] });
    expect(JSON.parse(await decided)).toEqual(decision);
    text.write('Well.');
    text.end({ finish_reason: 'stop' });
    await second;
    expect(agent.messages.at(-1)).toMatchObject({ content: 'Well.' });
    expect(room.calls.map(({ method }) => method)).not.toContain('regenerate');
  });

  it('are decided where they were asked: by another agent, or by the app itself', async () => {
    roomAgent.onApproval(() => ({ approved: false, reason: 'by the app' }));
    const other = new AgUiAgent(roomAgent);
    const runs: Promise<unknown>[] = [];
    for (const [index, each] of [agent, other].entries()) {
      each.addMessage(asked(`m${index}`, 'Buy it.'));
      runs.push(each.runAgent());
      await sent(index + 1);
    }
    void call('approveTool', approvalFor(await sent(1)));
    await runs[0];
    expect(agent.pendingInterrupts).toHaveLength(1);
    expect(other.pendingInterrupts).toEqual([]);
    expect(JSON.parse(await call('approveTool', approvalFor('of-somebody-else')))).toMatchObject({ reason: 'by the app' });
  });
});

it('connects with what the thread has', async () => {
  const stored = { senderName: '', timestamp: 1 };
  roomAgent.close();
  room = new FakeRoom();
  room.answer = (method) =>
    method === 'getHistory'
      ? {
          messages: [
            { ...stored, id: 'q', role: 'user', senderId: 'ana', senderName: 'Ana A.', text: 'Weather?', position: 1 },
            {
              ...stored,
              id: 'a',
              role: 'assistant',
              senderId: 'agent',
              text: 'Sunny.',
              position: 2,
              parts: [{ id: 'c', type: 'tool-call', name: 'getWeather', state: 'done', result: 'sunny' }],
            },
          ],
        }
      : {};
  agent = new AgUiAgent(new RoomAgent(room));
  room.agentArrives();
  await agent.connectAgent();
  expect(agent.messages).toMatchObject([
    { role: 'user', id: 'q', content: 'Weather?', name: 'Ana A.' },
    { role: 'assistant', toolCalls: [{ function: { name: 'getWeather' } }] },
    { role: 'tool', content: 'sunny' },
    { role: 'assistant', id: 'a', content: 'Sunny.' },
  ]);
});

it("shares the room's document as its state", async () => {
  room.remoteParticipants.set('agent', { identity: 'agent', name: '', attributes: { 'agent.ready': 'getState,patchState' } });
  let state: unknown = { count: 1 };
  let revision = 1;
  room.answer = (method, payload) => {
    if (method === 'patchState') {
      if (payload['revision'] !== revision) throw new AgentError(409, 'It has changed.');
      state = (payload['patch'] as { value: unknown }[])[0]?.value;
      revision += 1;
    }
    return method === 'getHistory' ? { messages: [] } : { state, revision };
  };
  for (const number of [1, 2]) {
    agent.addMessage(asked(`m${number}`, 'Go on.'));
    const run = agent.runAgent();
    const { text } = begin(await sent(number));
    text.write('Yes.');
    text.end({ finish_reason: 'stop' });
    await run;
    expect(agent.state).toEqual({ count: number });
    agent.setState({ count: 2 });
  }
  expect(state).toEqual({ count: 2 });

  // Somebody else changes it meanwhile: that stays.
  state = { count: 10 };
  revision += 1;
  room.packet('system', { event: 'state.changed', thread: 'room', revision });
  await vi.waitFor(() => expect(roomAgent.shared.revision).toBe(revision));
  agent.setState({ count: 3 });
  agent.addMessage(asked('m3', 'Go on.'));
  const run = agent.runAgent();
  const { text } = begin(await sent(3));
  text.write('Yes.');
  text.end({ finish_reason: 'stop' });
  await run;
  expect(events).toContainEqual(expect.objectContaining({ type: 'CUSTOM', name: 'state-refused' }));
  expect(agent.state).toEqual({ count: 10 });
});

it('shares what is open with its clones', async () => {
  const clone = agent.clone();
  clone.setMessages([asked('m1', 'Hello')]);
  const run = clone.runAgent();
  const { text } = begin(await sent());
  text.write('Hi.');
  text.end({ finish_reason: 'stop' });
  await run;
  expect(clone.messages.at(-1)).toMatchObject({ content: 'Hi.' });
  agent.setMessages([asked('m1', 'Hello')]);
  const again = agent.runAgent();
  await vi.waitFor(() => expect(room.calls.at(-1)).toMatchObject({ method: 'regenerate' }));
  roomAgent.close();
  await again.catch(() => undefined);
});
