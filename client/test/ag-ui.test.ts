import { describe, expect, it, vi } from 'vitest';
import { AgUiAgent } from '../src/ag-ui/index.js';
import { RoomAgent } from '../src/index.js';
import { agent, answered, asked, begin, ended, events, room, roomAgent, sent, told, types } from './ag-ui-room.js';
import { FakeRoom } from './fake-room.js';

describe('a run', () => {
  it('is a question with its answer', async () => {
    agent.addMessage(asked('m1', 'What time is it?'));
    const run = agent.runAgent();
    const { text } = begin(await sent());
    text.write('It is ');
    await told('TEXT_MESSAGE_CONTENT');
    await ended(run, text, 'noon.');
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

  it('shows tool calls, reasoning and the other parts of an answer', async () => {
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
    text.end({ finish_reason: 'stop' });
    // The last parts leave after the end of the text.
    await new Promise((resolve) => setTimeout(resolve));
    parts.write('{"id":"s","type":"source","title":"Weather","url":"https://weather.example"}\n');
    parts.end();
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
    const { text, parts } = begin(question);
    text.write('One, ');
    await told('TEXT_MESSAGE_CONTENT');
    agent.abortRun();
    await vi.waitFor(() => expect(room.calls).toContainEqual({ method: 'stopResponse', payload: { messageId: question } }));
    text.end({ finish_reason: 'cancelled' });
    parts.end();
    await run;
    expect(events.at(-1)).toMatchObject({ type: 'RUN_FINISHED', outcome: { type: 'cancelled' } });
  });

  it('retracts the text of an answer that is repeated', async () => {
    agent.addMessage(asked('m1', 'Count.'));
    const run = agent.runAgent();
    const question = await sent();
    const first = begin(question);
    first.text.write('One, two');
    await told('TEXT_MESSAGE_CONTENT');
    first.text.end();
    const second = begin(question);
    await ended(run, second.text, 'Eins');
    expect(types()).toContain('MESSAGES_SNAPSHOT');
    expect(agent.messages).toMatchObject([{ role: 'user' }, { role: 'assistant', content: 'Eins' }]);
  });

  it('sends media parts as attachments', async () => {
    const streams = vi.spyOn(room.localParticipant, 'streamBytes');
    const image = { type: 'image', source: { type: 'data', value: btoa('png'), mimeType: 'image/png' }, metadata: { filename: 'cat.png' } } as const;
    agent.addMessage({ id: 'm1', role: 'user', content: [{ type: 'text', text: 'What is it?' }, image] });
    const run = agent.runAgent();
    await answered(run, 'A cat.');
    expect(room.sent[0]?.text).toBe('What is it?');
    expect(streams.mock.calls[0]?.[0]).toMatchObject({ name: 'cat.png', mimeType: 'image/png' });
  });

  it('answers a known message again, and an edited one as edited', async () => {
    agent.addMessage(asked('m1', 'Count.'));
    const first = agent.runAgent();
    const question = await sent();
    const { text } = begin(question);
    await ended(first, text, 'One.');
    for (const [content, method] of [
      ['Count.', 'regenerate'],
      ['Count on.', 'editMessage'],
    ] as const) {
      agent.setMessages([asked('m1', content)]);
      const run = agent.runAgent();
      await vi.waitFor(() => expect(room.calls.at(-1)).toMatchObject({ method, payload: { messageId: question } }));
      const again = begin(question);
      await ended(run, again.text, `${method}: two.`);
      expect(agent.messages.at(-1)).toMatchObject({ content: `${method}: two.` });
    }
    expect(room.sent).toHaveLength(1);
  });
});

describe('what is asked', () => {
  it('leaves out messages of others and earlier questions', async () => {
    roomAgent.messages.put({ id: 'b1', senderId: 'bob', role: 'user', text: 'Lunch?' });
    agent.setMessages([asked('b1', 'Lunch?'), asked('m1', 'Agent, what time'), asked('m2', 'is it?')]);
    const run = agent.runAgent();
    await answered(run, 'Noon.');
    expect(room.sent.map((each) => each.text)).toEqual(['Agent, what time\n\nis it?']);
  });

  it('is asked again if the agent did not accept it', async () => {
    agent.addMessage(asked('m1', 'Hello'));
    const refused = agent.runAgent().catch(() => undefined);
    room.packet('system', { event: 'error', code: 413, content: 'Too long.', messageIds: [await sent()] });
    await refused;
    const run = agent.runAgent();
    await answered(run, 'Hi.', 2);
    expect(agent.messages.at(-1)).toMatchObject({ content: 'Hi.' });
    expect(room.calls.map(({ method }) => method)).not.toContain('regenerate');
  });

  it('continues in another run after a detached one', async () => {
    agent.addMessage(asked('m1', 'Count.'));
    const first = agent.runAgent();
    const { text } = begin(await sent());
    text.write('One, ');
    await told('TEXT_MESSAGE_CONTENT');
    await agent.detachActiveRun();
    await first;
    const second = agent.runAgent();
    await ended(second, text, 'two.');
    expect(agent.messages).toMatchObject([{ role: 'user' }, { content: 'One, ' }, { content: 'two.' }]);
    expect(room.sent).toHaveLength(1);
  });
});

it('connects with the messages of the thread', async () => {
  const stored = { senderName: '', timestamp: 1 };
  const other = new FakeRoom();
  other.answer = (method) =>
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
  const newcomer = new RoomAgent(other);
  const connecting = new AgUiAgent(newcomer);
  other.agentArrives();
  await connecting.connectAgent();
  newcomer.close();
  expect(connecting.messages).toMatchObject([
    { role: 'user', id: 'q', content: 'Weather?', name: 'Ana A.' },
    { role: 'assistant', toolCalls: [{ function: { name: 'getWeather' } }] },
    { role: 'tool', content: 'sunny' },
    { role: 'assistant', id: 'a', content: 'Sunny.' },
  ]);
});

it('shares what is open with its clones', async () => {
  const clone = agent.clone();
  clone.setMessages([asked('m1', 'Hello')]);
  const run = clone.runAgent();
  await answered(run, 'Hi.');
  expect(clone.messages.at(-1)).toMatchObject({ content: 'Hi.' });
  agent.setMessages([asked('m1', 'Hello')]);
  const again = agent.runAgent();
  await vi.waitFor(() => expect(room.calls.at(-1)).toMatchObject({ method: 'regenerate' }));
  roomAgent.close();
  await again.catch(() => undefined);
});
