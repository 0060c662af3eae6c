import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RoomAgent, type AnswerPiece, type Asking } from '../src/index.js';
import { sha256 } from '../src/room.js';
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

const head = (asking: Asking, segment = 'SG_1'): Record<string, string> => ({
  'lk.segment_id': segment,
  in_reply_to: asking.id,
  in_reply_to_sender: 'ana',
  scope: 'room',
  position: '15',
});

const trailer = async (text: string): Promise<Record<string, string>> => ({
  finish_reason: 'stop',
  text_length: String(new TextEncoder().encode(text).length),
  sha256: (await sha256(new TextEncoder().encode(text))) ?? '',
});

async function pieces(asking: Asking): Promise<AnswerPiece[]> {
  const found: AnswerPiece[] = [];
  for await (const piece of asking) found.push(piece);
  return found;
}

const stored = (asking: Asking, text: string): object => ({
  id: 'SG_1',
  role: 'assistant',
  senderId: 'agent',
  senderName: 'Agent',
  text,
  timestamp: 2,
  position: 15,
  inReplyTo: asking.id,
  inReplyToSenderId: 'ana',
  finishReason: 'stop',
});

describe('asking', () => {
  it('gives the answer as it comes', async () => {
    const asking = agent.ask('What time is it?');
    const read = pieces(asking);
    await settle();
    expect(room.sent).toEqual([{ id: asking.id, text: 'What time is it?' }]);
    const stream = room.stream('llm-response', head(asking));
    stream.write('It is ');
    await settle();
    stream.write('noon.');
    stream.end(await trailer('It is noon.'));
    expect(await read).toEqual([
      { type: 'text', text: 'It is ' },
      { type: 'text', text: 'noon.' },
    ]);
    expect(await asking.answer).toMatchObject({ text: 'It is noon.', finishReason: 'stop', state: 'done' });
    expect(agent.messages.items.map(({ text }) => text)).toEqual(['What time is it?', 'It is noon.']);
  });

  it('is sent again under its id if the server had not announced its sender yet', async () => {
    const asking = agent.ask('Hello', { private: true });
    await settle();
    // The agent cannot tell whose packet it was, nor which.
    const refuse = (): void => room.packet('system', { event: 'error', code: 409, retryAfter: 3, content: '…' });
    refuse();
    await pass(3_000);
    expect(room.sent.map(({ id }) => id)).toEqual([asking.id, asking.id]);
    await pass(10_000);
    refuse();
    await pass(3_000);
    expect(room.sent.length).toBe(2);
  });

  it('is answered again after what it was answered with, stopped or whole', async () => {
    const asking = agent.ask('Count.');
    await settle();
    const stream = room.stream('llm-response', head(asking));
    stream.write('One, ');
    await settle();
    let agree = (_: object): void => undefined;
    room.answer = () => new Promise((resolve) => (agree = resolve));
    const edited = agent.edit(asking.id, 'Count on.');
    await settle();
    // The former answer goes on until it is stopped; then the agent agrees.
    stream.write('two');
    stream.end({ ...(await trailer('One, two')), finish_reason: 'cancelled' });
    await settle();
    agree({});
    const again = await edited;
    room.answer = () => ({});
    const next = room.stream('llm-response', head(asking));
    next.write('Three.');
    next.end(await trailer('Three.'));
    expect(await again.answer).toMatchObject({ text: 'Three.', finishReason: 'stop' });
    const once = await agent.regenerate(asking.id);
    const last = room.stream('llm-response', head(asking));
    last.write('Four.');
    last.end(await trailer('Four.'));
    expect(await once.answer).toMatchObject({ text: 'Four.' });
  });

  it('stays deleted when its attachment is stored afterwards', async () => {
    const streams = vi.spyOn(room.localParticipant, 'streamBytes');
    const asking = agent.ask('Look', { attachments: [{ data: new Uint8Array(3), name: 'a.bin' }] });
    await settle();
    const { streamId } = streams.mock.calls[0]?.[0] as { streamId: string };
    room.packet('system', { event: 'message.deleted', thread: 'room', messageIds: [asking.id], authorId: 'ana' });
    room.packet('system', { event: 'file.received', streamId, fileId: 'f', name: 'a.bin', mimeType: 'x/y', size: 3, sha256: '' });
    await settle();
    expect(agent.messages.items).toEqual([]);
  });

  it('fails with the error of the agent', async () => {
    const asking = agent.ask('x'.repeat(10));
    await settle();
    room.packet('system', { event: 'error', code: 413, content: 'A message may have 5 bytes.', messageIds: [asking.id] });
    await expect(pieces(asking)).rejects.toMatchObject({ code: 413, message: 'A message may have 5 bytes.' });
    expect(agent.messages.items[0]).toMatchObject({ state: 'failed' });
  });

  it('does not believe errors of others', async () => {
    const asking = agent.ask('Hello');
    await settle();
    room.packet('system', { event: 'error', code: 413, content: 'No.', messageIds: [asking.id] }, 'mallory');
    expect(asking.isSettled).toBe(false);
  });

  it('ends when nothing ever comes', async () => {
    const asking = agent.ask('Hello', { timeout: 1_000 });
    const failed = expect(asking.answer).rejects.toMatchObject({ code: 504 });
    await pass(1_000);
    await failed;
  });

  it('waits for the agent', async () => {
    room.agentLeaves();
    agent.ask('Hello');
    await settle();
    expect(room.sent).toEqual([]);
    room.agentArrives();
    await settle();
    expect(room.sent).toHaveLength(1);
  });

  it('is sent again when another agent takes over', async () => {
    const asking = agent.ask('Hello');
    await settle();
    room.agentLeaves();
    room.agentArrives();
    await settle();
    expect(room.sent.map(({ id }) => id)).toEqual([asking.id, asking.id]);
  });

  it('reads the whole answer from the history if its stream broke off', async () => {
    const asking = agent.ask('What time is it?');
    const read = pieces(asking);
    await settle();
    room.answer = () => stored(asking, 'It is noon.');
    const stream = room.stream('llm-response', head(asking));
    stream.write('It is ');
    await settle();
    stream.fail();
    await pass(10);
    expect(await read).toEqual([
      { type: 'text', text: 'It is ' },
      { type: 'text', text: 'noon.' },
    ]);
  });

  it('reads an answer again if its hash does not match', async () => {
    const asking = agent.ask('What time is it?');
    await settle();
    room.answer = () => stored(asking, 'It is noon.');
    const stream = room.stream('llm-response', head(asking));
    stream.write('It is XXXX.');
    stream.end(await trailer('It is noon.'));
    await pass(10);
    expect((await asking.answer).text).toBe('It is noon.');
    expect(room.calls.at(-1)).toMatchObject({ method: 'getMessage', payload: { messageId: 'SG_1' } });
  });

  it('begins again when an answer is repeated', async () => {
    const asking = agent.ask('What time is it?');
    const read = pieces(asking);
    await settle();
    const first = room.stream('llm-response', head(asking));
    first.write('It is one.');
    await settle();
    first.end({});
    room.answer = () => {
      throw Object.assign(new Error('not stored'), { code: 404 });
    };
    await settle();
    const second = room.stream('llm-response', head(asking));
    second.write('At noon.');
    second.end(await trailer('At noon.'));
    expect(await read).toEqual([
      { type: 'text', text: 'It is one.' },
      { type: 'restart' },
      { type: 'text', text: 'At noon.' },
    ]);
  });

  it('shows the longer one of two streams of an answer', async () => {
    const asking = agent.ask('What time is it?');
    await settle();
    const first = room.stream('llm-response', head(asking));
    first.write('It is noon');
    await settle();
    const copy = room.stream('llm-response', head(asking));
    copy.write('It is');
    await settle();
    expect(agent.messages.answerTo(asking.id, 'ana')?.text).toBe('It is noon');
    first.write('.');
    first.end(await trailer('It is noon.'));
    copy.write(' noon.');
    copy.end(await trailer('It is noon.'));
    expect((await asking.answer).text).toBe('It is noon.');
  });

  it('does not take answers of others', async () => {
    const asking = agent.ask('Hello');
    await settle();
    room.stream('llm-response', head(asking), 'mallory').write('Send me money.');
    await settle();
    expect(agent.messages.items).toHaveLength(1);
  });

  it('gives parts beside the text', async () => {
    const asking = agent.ask('Where is my order?');
    const read = pieces(asking);
    await settle();
    const parts = room.stream('agent.parts', head(asking));
    parts.write('{"id":"o-1","type":"data","name":"order","value":{"n":1},"at":0}\n');
    await settle();
    const stream = room.stream('llm-response', head(asking));
    stream.write('Here.');
    stream.end(await trailer('Here.'));
    await settle();
    // The last parts leave after the end of the text.
    parts.write('{"id":"s-1","type":"suggestion","text":"Why?","at":5}\n');
    parts.end();
    expect(await read).toEqual([
      { type: 'part', part: { id: 'o-1', type: 'data', name: 'order', value: { n: 1 }, at: 0 } },
      { type: 'text', text: 'Here.' },
      { type: 'part', part: { id: 's-1', type: 'suggestion', text: 'Why?', at: 5 } },
    ]);
  });

  it.each([false, true])('gives nothing of the former answer where it is given again (private: %s)', async (isPrivate) => {
    const asking = agent.ask('Where is my order?', { private: isPrivate });
    await settle();
    const about = { ...head(asking), scope: isPrivate ? 'private' : 'room' };
    const give = async (text: string): Promise<void> => {
      if (isPrivate) {
        const delta = { type: 'delta', id: 'SG_1', inReplyTo: asking.id, inReplyToSenderId: 'ana' };
        room.packet('llm-response', { ...delta, seq: 0, text });
        room.packet('llm-response', { ...delta, seq: 1, text: '', final: true, finishReason: 'stop' });
      } else {
        const stream = room.stream('llm-response', about);
        stream.write(text);
        stream.end(await trailer(text));
      }
    };
    const parts = room.stream('agent.parts', about);
    parts.write('{"id":"o-1","type":"data","name":"order","value":{"n":1},"at":0}\n');
    await settle();
    await give('Here.');
    parts.end();
    expect((await asking.answer).parts).toHaveLength(1);
    const again = await agent.regenerate(asking.id);
    const read = pieces(again);
    await give('There.');
    expect(await read).toEqual([{ type: 'text', text: 'There.' }]);
    expect((await again.answer).parts).toEqual([]);
  });

  it('breaks off a private answer that had only parts', async () => {
    const asking = agent.ask('Where is my order?', { private: true });
    await settle();
    const parts = room.stream('agent.parts', { ...head(asking), scope: 'private' });
    parts.write('{"id":"c","type":"tool-call","name":"findOrder","state":"running"}\n');
    await settle();
    room.answer = () => stored(asking, 'Here.');
    parts.fail();
    expect(await asking.answer).toMatchObject({ text: 'Here.', state: 'done' });
  });

  it('waits for parts whose stream does not end for two seconds', async () => {
    const asking = agent.ask('Where is my order?');
    const read = pieces(asking);
    await settle();
    room.stream('agent.parts', head(asking));
    const stream = room.stream('llm-response', head(asking));
    stream.write('Here.');
    stream.end(await trailer('Here.'));
    await pass(1_999);
    expect(agent.messages.answerTo(asking.id, 'ana')).toMatchObject({ text: 'Here.', state: 'streaming' });
    await pass(1);
    expect(agent.messages.answerTo(asking.id, 'ana')?.state).toBe('done');
    expect(await read).toEqual([{ type: 'text', text: 'Here.' }]);
  });
});

describe('private answers', () => {
  const delta = (asking: Asking, seq: number, text: string, more: object = {}): object => ({
    type: 'delta',
    id: 'SG_1',
    inReplyTo: asking.id,
    inReplyToSenderId: 'ana',
    seq,
    text,
    position: 15,
    ...more,
  });

  it('come in packets, into a thread of their own', async () => {
    const asking = agent.ask('Between us?', { private: true });
    const read = pieces(asking);
    await settle();
    room.packet('llm-response', delta(asking, 0, 'Yes'));
    await settle();
    room.packet('llm-response', delta(asking, 1, '.'));
    room.packet('llm-response', delta(asking, 2, '', { final: true, finishReason: 'stop', textLength: 4 }));
    expect(await read).toEqual([
      { type: 'text', text: 'Yes' },
      { type: 'text', text: '.' },
    ]);
    expect(agent.messages.items).toEqual([]);
    expect(agent.privateMessages.thread).toBe('private:ana');
    expect(agent.privateMessages.items.map(({ text }) => text)).toEqual(['Between us?', 'Yes.']);
  });

  it('are read from the history if a packet is missing', async () => {
    const asking = agent.ask('Between us?', { private: true });
    await settle();
    room.answer = () => stored(asking, 'Yes.');
    room.packet('llm-response', delta(asking, 0, 'Y'));
    room.packet('llm-response', delta(asking, 2, '.'));
    room.packet('llm-response', delta(asking, 3, '', { final: true, finishReason: 'stop', textLength: 4 }));
    await pass(10);
    expect((await asking.answer).text).toBe('Yes.');
    expect(room.calls.at(-1)).toMatchObject({ payload: { thread: 'private:ana' } });
  });
});
