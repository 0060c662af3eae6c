import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Packets } from '../src/packets.js';
import { FakeRoom } from './fake-room.js';

let room: FakeRoom;
let packets: Packets;

beforeEach(() => {
  vi.useFakeTimers();
  room = new FakeRoom();
  packets = new Packets(room, 'agent');
});

afterEach(() => {
  packets.close();
  vi.useRealTimers();
});

const ids = (): string[] => room.sent.map(({ id }) => id);
const pass = (seconds: number): Promise<unknown> => vi.advanceTimersByTimeAsync(seconds * 1000);
const draw = (op: string, id: string): Promise<void> =>
  packets.send({ id, content: { op, id } }, { topic: 'whiteboard' });

describe('packets whose sender the agent could not tell', () => {
  it('do not overtake those that were sent meanwhile', async () => {
    await packets.send({ id: 'put' });
    packets.sendAgain(3_000);
    await pass(1);
    await packets.send({ id: 'take back' });
    await pass(2);
    expect(ids()).toEqual(['put', 'take back', 'put', 'take back']);
  });

  it('are sent again although they are older than those of the last seconds by then', async () => {
    await packets.send({ id: 'first' });
    await pass(4);
    packets.sendAgain(3_000);
    await pass(2);
    await packets.send({ id: 'second' });
    await pass(1);
    expect(ids().slice(2)).toEqual(['first', 'second']);
  });

  it('are sent again once, however often the agent asks meanwhile', async () => {
    await packets.send({ id: 'one' });
    packets.sendAgain(3_000);
    await pass(1);
    packets.sendAgain(3_000);
    await pass(10);
    expect(ids()).toEqual(['one', 'one']);
  });

  it('are sent three times at most', async () => {
    await packets.send({ id: 'one' });
    for (let notice = 0; notice < 4; notice += 1) {
      packets.sendAgain(1_000);
      await pass(1);
    }
    expect(ids()).toEqual(['one', 'one', 'one']);
  });

  it('do not wipe the whiteboard later, nor draw on it what was wiped away', async () => {
    await draw('stroke', 'before');
    await packets.send({ id: 'message' });
    await draw('clear', 'clear');
    await draw('stroke', 'after');
    packets.sendAgain(3_000);
    await pass(3);
    expect(ids().slice(4)).toEqual(['message', 'after']);
  });

  it('are not sent again after closing', async () => {
    await packets.send({ id: 'one' });
    packets.sendAgain(3_000);
    packets.close();
    await pass(3);
    expect(ids()).toEqual(['one']);
  });
});
