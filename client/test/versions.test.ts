import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { RoomAgent, type MessageList } from '../src/index.js';
import { FakeRoom, type FakeStream } from './fake-room.js';

let room: FakeRoom;
let agent: RoomAgent;
const question = { id: 'q', senderId: 'ana', senderName: 'Ana A.', role: 'user', text: 'What time is it?', timestamp: 1000 } as const;
const head = { 'lk.segment_id': 'a', in_reply_to: 'q', in_reply_to_sender: 'ana', scope: 'room' };

beforeEach(() => {
  room = new FakeRoom();
  agent = new RoomAgent(room);
  room.agentArrives();
  agent.messages.put(question);
});

afterEach(() => agent.close());

async function begin(text: string): Promise<FakeStream> {
  const stream = room.stream('llm-response', head);
  stream.write(text);
  await vi.waitFor(() => expect(agent.messages.get('a')).toMatchObject({ text, state: 'streaming' }));
  return stream;
}

async function end(stream: FakeStream, finishReason = 'stop'): Promise<void> {
  stream.end({ finish_reason: finishReason });
  await vi.waitFor(() => expect(agent.messages.get('a')).toMatchObject({ state: 'done', finishReason }));
}

const answer = async (text: string, finishReason?: string): Promise<void> => end(await begin(text), finishReason);

const edited = (newText: string): void =>
  room.packet('system', { event: 'message.edited', thread: 'room', messageIds: ['q'], authorId: 'ana', newText });

const versions = (list: MessageList = agent.messages): unknown[] | undefined =>
  list.get('q')?.versions?.map(({ text, answer: found }) => [text, found?.text]);

it('keeps a question and its answer that are edited or answered again, each once', async () => {
  await answer('Noon.');
  expect(versions()).toBeUndefined();
  await answer('Midday.');
  expect(versions()).toEqual([['What time is it?', 'Noon.']]);
  edited('And in Rome?');
  const before = [
    ['What time is it?', 'Noon.'],
    ['What time is it?', 'Midday.'],
  ];
  expect(versions()).toEqual(before);
  await answer('Midday.');
  expect(agent.messages.get('q')).toMatchObject({ text: 'And in Rome?' });
  expect(versions()).toEqual(before);
  await answer('One.');
  expect(versions()).toEqual([...before, ['And in Rome?', 'Midday.']]);
});

it('keeps one version if the next answer begins before the notice of the edit arrives', async () => {
  await answer('Noon.');
  const stream = await begin('One.');
  edited('And in Rome?');
  await end(stream);
  expect(versions()).toEqual([['What time is it?', 'Noon.']]);
  await answer('One o’clock.');
  expect(versions()).toEqual([
    ['What time is it?', 'Noon.'],
    ['And in Rome?', 'One.'],
  ]);
});

it.each([[true], [false]])('keeps what was said of an answer that an edit stopped (its end comes first: %s)', async (isEndFirst) => {
  const stream = await begin('It is');
  if (isEndFirst) await end(stream, 'cancelled');
  edited('And in Rome?');
  if (!isEndFirst) await end(stream, 'cancelled');
  await answer('One.');
  expect(versions()).toEqual([['What time is it?', 'It is']]);
  expect(agent.messages.get('q')?.versions?.[0]?.answer).toMatchObject({ state: 'done', finishReason: 'cancelled' });
});

it('keeps the parts of a former answer', async () => {
  await answer('Noon.');
  agent.messages.put({ id: 'a', senderId: 'agent', role: 'assistant', parts: [{ type: 'suggestion', id: 's', text: 'Why?' }] });
  const parts = room.stream('agent.parts', head);
  parts.write('{"id":"t","type":"suggestion","text":"When?"}\n');
  const stream = await begin('Midday.');
  parts.end();
  await end(stream);
  expect(agent.messages.get('q')?.versions).toMatchObject([{ answer: { text: 'Noon.', parts: [{ id: 's' }] } }]);
  expect(agent.messages.get('a')?.parts).toMatchObject([{ id: 't' }]);
});

it('takes an empty stream of parts, at the end of an answer that was given again, for its own', async () => {
  for (const text of ['Noon.', 'Midday.', 'Twelve.']) {
    await answer(text);
    room.stream('agent.parts', head).end();
    await vi.waitFor(() => expect(agent.messages.get('a')?.parts).toEqual([]));
  }
  expect(versions()).toEqual([
    ['What time is it?', 'Noon.'],
    ['What time is it?', 'Midday.'],
  ]);
});

it('does not count an answer that is sent again as another version', async () => {
  await answer('Noon.');
  await answer('Noon.');
  expect(versions()).toEqual([]);
});

it('keeps parts that arrive after the text of their answer', async () => {
  await answer('Noon.');
  const parts = room.stream('agent.parts', head);
  parts.write('{"id":"s","type":"suggestion","text":"Why?"}\n');
  parts.end();
  await vi.waitFor(() => expect(agent.messages.get('a')?.parts).toHaveLength(1));
  await answer('Midday.');
  expect(agent.messages.get('q')?.versions).toMatchObject([{ answer: { text: 'Noon.', parts: [{ id: 's' }] } }]);
  expect(agent.messages.get('a')?.parts).toEqual([]);
});

it('keeps the parts of an answer that is sent again without them', async () => {
  await answer('Noon.');
  agent.messages.put({ id: 'a', senderId: 'agent', role: 'assistant', parts: [{ type: 'suggestion', id: 's', text: 'Why?' }] });
  await answer('Noon.');
  expect(agent.messages.get('a')?.parts).toMatchObject([{ id: 's' }]);
  expect(versions()).toEqual([]);
  await answer('Noon.');
  room.stream('agent.parts', head).end();
  await vi.waitFor(() => expect(agent.messages.get('a')?.parts).toEqual([]));
});

it('keeps nothing of an answer that is deleted', async () => {
  await answer('Noon.');
  await answer('Midday.');
  room.packet('system', { event: 'message.deleted', thread: 'room', messageIds: ['a'], authorId: 'agent' });
  expect(versions()).toBeUndefined();
});

it('counts an edit once, although its new text also arrives as a stream of the author', async () => {
  await answer('Noon.');
  const stream = room.stream('lk.chat', { position: '7' }, 'ana', 'q');
  stream.write('And in Rome?');
  stream.end();
  await vi.waitFor(() => expect(agent.messages.get('q')).toMatchObject({ text: 'And in Rome?' }));
  edited('And in Rome?');
  expect(versions()).toEqual([['What time is it?', 'Noon.']]);
  expect(agent.messages.get('q')).toMatchObject({ senderName: 'Ana A.', timestamp: 1000, position: 7 });
});

it('keeps private ones in their own thread, and a question that had no answer', async () => {
  const list = agent.privateMessages;
  agent.messages.remove('q');
  list.put(question);
  const told = (text: string): void =>
    room.packet('llm-response', { type: 'delta', id: 'p', inReplyTo: 'q', inReplyToSenderId: 'ana', seq: 0, text, final: true, finishReason: 'stop' });
  const stream = room.stream('lk.chat', { scope: 'private' }, 'ana', 'q');
  stream.write('Now?');
  stream.end();
  await vi.waitFor(() => expect(list.get('q')).toMatchObject({ text: 'Now?' }));
  expect(agent.messages.get('q')).toBeUndefined();
  for (const text of ['Noon.', 'One.']) {
    told(text);
    await vi.waitFor(() => expect(list.get('p')).toMatchObject({ text, state: 'done' }));
  }
  expect(versions(list)).toEqual([
    ['What time is it?', undefined],
    ['Now?', 'Noon.'],
  ]);
});

it('keeps what the history has otherwise after a lost connection', async () => {
  await answer('Noon.');
  const stored = { thread: 'room', timestamp: 1000, senderName: '' };
  room.answer = () => ({
    messages: [
      { ...stored, id: 'q', role: 'user', senderId: 'ana', text: 'And in Rome?' },
      { ...stored, id: 'a', role: 'assistant', senderId: 'agent', text: 'One.', inReplyTo: 'q', inReplyToSenderId: 'ana', finishReason: 'stop' },
    ],
  });
  room.emit('reconnected');
  await vi.waitFor(() => expect(agent.messages.get('a')).toMatchObject({ text: 'One.' }));
  expect(versions()).toEqual([['What time is it?', 'Noon.']]);
  await answer('Two.');
  expect(versions()).toEqual([
    ['What time is it?', 'Noon.'],
    ['And in Rome?', 'One.'],
  ]);
});

it('keeps the last twenty', async () => {
  for (let number = 0; number < 25; number += 1) edited(`Question ${number}`);
  expect(agent.messages.get('q')?.versions).toHaveLength(20);
  expect(versions()?.at(-1)).toEqual(['Question 23', undefined]);
});

it('gives each version an id, which it keeps as others come and go', async () => {
  for (let number = 0; number < 20; number += 1) edited(`Question ${number}`);
  const ids = (): readonly number[] => agent.messages.get('q')?.versions?.map(({ id }) => id) ?? [];
  const before = ids();
  expect(new Set(before).size).toBe(20);
  edited('Question 20');
  expect(ids().slice(0, -1)).toEqual(before.slice(1));
  const stream = await begin('It is');
  edited('And in Rome?');
  const unfinished = ids().at(-1);
  await end(stream, 'cancelled');
  expect(agent.messages.get('q')?.versions?.at(-1)).toMatchObject({ id: unfinished, answer: { text: 'It is' } });
});
