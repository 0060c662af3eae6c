import { describe, expect, it, vi } from 'vitest';
import { AgUiAgent } from '../src/ag-ui/index.js';
import { AgentError } from '../src/index.js';
import { agent, answered, asked, begin, call, ended, events, has, room, roomAgent, sent, told } from './ag-ui-room.js';

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
    await ended(second, text, 'Navy it is.');
    expect(agent.messages.at(-1)).toMatchObject({ role: 'assistant', content: 'Navy it is.' });
    expect(room.sent).toHaveLength(1);
    expect(attributes).toHaveBeenCalledTimes(1);
  });

  it('are withdrawn when the application no longer has them', async () => {
    const attributes = vi.spyOn(room.localParticipant, 'setAttributes');
    for (const [number, offered] of [tools, [], []].entries()) {
      agent.addMessage(asked(`m${number}`, 'Go on.'));
      const run = agent.runAgent({ tools: offered });
      await answered(run, 'Yes.', number + 1);
    }
    expect(attributes.mock.calls.map(([given]) => given['client.methods'])).toEqual([JSON.stringify(tools), '[]']);
  });

  it('are refused without a run', async () => {
    agent.addMessage(asked('m1', 'Paint it.'));
    const run = agent.runAgent({ tools });
    await answered(run, 'Done.');
    await expect(call('pickColor', {})).rejects.toMatchObject({ code: 503 });
  });

  it('are left out if the token does not allow them, and the run continues', async () => {
    room.localParticipant.setAttributes = async () => Promise.reject(new Error('does not have permission'));
    agent.addMessage(asked('m1', 'Paint it.'));
    const run = agent.runAgent({ tools });
    await answered(run, 'Done.');
    expect(events).toContainEqual(expect.objectContaining({ type: 'CUSTOM', name: 'tools-not-offered' }));
    expect(agent.messages.at(-1)).toMatchObject({ content: 'Done.' });
  });
});

const approvalFor = (messageId: string): object => ({
  callId: `call-${messageId}`,
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
    await ended(second, text, 'Well.');
    expect(agent.messages.at(-1)).toMatchObject({ content: 'Well.' });
    expect(room.calls.map(({ method }) => method)).not.toContain('regenerate');
  });

  it('are received only while an answer is in progress', async () => {
    expect(has('approveTool')).toBe(false);
    agent.addMessage(asked('m1', 'Hello'));
    const run = agent.runAgent();
    expect(await sent().then(() => has('approveTool'))).toBe(true);
    await answered(run, 'Hi.');
    expect(has('approveTool')).toBe(false);
    agent.addMessage(asked('m2', 'And now?'));
    const left = agent.runAgent();
    const { text, parts } = begin(await sent(2));
    text.write('Now ');
    await vi.waitFor(() => expect(agent.messages.at(-1)).toMatchObject({ content: 'Now ' }));
    await agent.detachActiveRun();
    await left;
    expect(has('approveTool')).toBe(true);
    text.end({ finish_reason: 'stop' });
    parts.end();
    await vi.waitFor(() => expect(has('approveTool')).toBe(false));
  });

  it('are decided where they were asked: by another agent or by the app', async () => {
    roomAgent.onApproval(() => ({ approved: false, reason: 'by the app' }));
    const other = new AgUiAgent(roomAgent);
    const runs: Promise<unknown>[] = [];
    for (const [index, each] of [agent, other].entries()) {
      each.addMessage(asked(`m${index}`, 'Buy it.'));
      runs.push(each.runAgent());
      await sent(index + 1);
    }
    const decided = call('approveTool', approvalFor(await sent(1)));
    await runs[0];
    expect(agent.pendingInterrupts).toHaveLength(1);
    expect(other.pendingInterrupts).toEqual([]);
    expect(JSON.parse(await call('approveTool', approvalFor('of-somebody-else')))).toMatchObject({ reason: 'by the app' });
    roomAgent.close();
    await expect(decided).rejects.toMatchObject({ code: 409 });
  });

  it('are new interrupts when the next agent asks, and the former ones end', async () => {
    agent.addMessage(asked('m1', 'Buy it.'));
    const first = agent.runAgent();
    const question = await sent();
    const { text: broken } = begin(question);
    const lost = call('approveTool', approvalFor(question)).catch((error: unknown) => error);
    await first;
    const former = agent.pendingInterrupts;
    const copy = agent.clone();
    expect(former).toHaveLength(1);
    room.answer = (method) => {
      if (method === 'getHistory') return { messages: [] };
      throw new AgentError(404, 'There is no such message.');
    };
    broken.fail();
    room.agentLeaves();
    room.agentArrives();
    const decided = call('approveTool', { ...approvalFor(question), callId: 'call-of-the-next-agent' });
    expect(await lost).toMatchObject({ code: 409 });
    expect(agent.pendingInterrupts).toEqual([]);
    await copy.runAgent();
    expect(copy.pendingInterrupts).toHaveLength(1);
    expect(copy.pendingInterrupts).not.toEqual(former);
    const { text } = begin(question);
    const last = copy.runAgent({ resume: [{ interruptId: copy.pendingInterrupts[0]?.id as string, status: 'resolved', payload: { approved: true } }] });
    expect(JSON.parse(await decided)).toEqual({ approved: true });
    await ended(last, text, 'Bought.');
    expect(copy.messages.at(-1)).toMatchObject({ content: 'Bought.' });
  });

  it('are no interrupts once they are over', async () => {
    const tools = [{ name: 'pickColor', description: 'Asks for a color.', parameters: { type: 'object', properties: {} } }];
    agent.addMessage(asked('m1', 'Buy it.'));
    const first = agent.runAgent({ tools });
    const question = await sent();
    const { text } = begin(question);
    text.write('Well, ');
    await told('TEXT_MESSAGE_CONTENT');
    // A run ends with the calls of the application's tools first: the approval is left to the next one.
    const picked = call('pickColor', {});
    const decided = call('approveTool', approvalFor(question)).catch((error: unknown) => error);
    await first;
    const calling = agent.messages.at(-1);
    const toolCallId = calling?.role === 'assistant' ? (calling.toolCalls?.[0]?.id as string) : '';
    room.packet('system', { event: 'approval.ended', callId: `call-${question}`, tool: 'buy', outcome: 'refused', by: 'tom', content: 'no' });
    expect(await decided).toMatchObject({ code: 409 });
    agent.addMessage({ id: 't1', role: 'tool', toolCallId, content: 'navy' });
    const second = agent.runAgent({ tools });
    expect(await picked).toBe('navy');
    await ended(second, text, 'no.');
    expect(agent.pendingInterrupts).toEqual([]);
    expect(agent.messages.at(-1)).toMatchObject({ content: 'no.' });
  });
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
    await answered(run, 'Yes.', number);
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
  await answered(run, 'Yes.', 3);
  expect(events).toContainEqual(expect.objectContaining({ type: 'CUSTOM', name: 'state-refused' }));
  expect(agent.state).toEqual({ count: 10 });
});
