import { describe, expect, it } from 'vitest';
import { MessageList } from '../src/messages.js';

const asked = { id: 'm-1', senderId: 'ana', role: 'user' } as const;
const answered = {
  id: 'SG_1',
  senderId: 'agent',
  role: 'assistant',
  inReplyTo: 'm-1',
  inReplyToSenderId: 'ana',
  position: 15,
} as const;

const ids = (list: MessageList): string[] => list.items.map(({ id }) => id);

describe('MessageList', () => {
  it('sorts by position, with messages without one last, in order of arrival', () => {
    const list = new MessageList('room');
    list.put({ ...asked, id: 'b' });
    list.put({ ...asked, id: 'c', position: 20 });
    list.put({ ...asked, id: 'a' });
    list.put({ ...asked, id: 'd', position: 2 });
    expect(ids(list)).toEqual(['d', 'c', 'b', 'a']);
  });

  it('puts a question before its answer, by the position of the answer', () => {
    const list = new MessageList('room');
    list.put(asked);
    list.put({ ...asked, id: 'm-2', senderId: 'bob' });
    list.put(answered);
    expect(ids(list)).toEqual(['m-1', 'SG_1', 'm-2']);
    expect(list.get('m-1')?.position).toBe(14);
  });

  it('distinguishes messages of two people with the same id', () => {
    const list = new MessageList('room');
    list.put({ ...asked, text: 'of ana' });
    list.put({ ...asked, senderId: 'bob', text: 'of bob' });
    expect(list.get('m-1', 'bob')?.text).toBe('of bob');
    list.remove('m-1', 'bob');
    expect(ids(list)).toEqual(['m-1']);
  });

  it('gives the same array until something changes, and notifies once per turn', async () => {
    const list = new MessageList('room');
    const first = list.items;
    expect(list.items).toBe(first);
    let told = 0;
    const end = list.subscribe(() => (told += 1));
    list.put(asked);
    list.put(answered);
    await Promise.resolve();
    expect(told).toBe(1);
    expect(list.items).not.toBe(first);
    end();
    list.clear();
    await Promise.resolve();
    expect(told).toBe(1);
  });

  it('changes a message in its place', () => {
    const list = new MessageList('room');
    list.put({ ...answered, text: 'The first answer.' });
    list.put({ ...answered, id: 'SG_2', position: 17 });
    list.put({ id: 'SG_1', senderId: 'agent', role: 'assistant', text: 'The second answer.' });
    expect(ids(list)).toEqual(['SG_1', 'SG_2']);
    expect(list.answerTo('m-1', 'ana')?.text).toBe('The second answer.');
    expect(list.answerTo('m-1', 'bob')).toBeUndefined();
  });
});
