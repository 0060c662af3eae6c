import { describe, expect, it } from 'vitest';
import { PartList } from '../src/parts.js';

describe('PartList', () => {
  it('reads lines in pieces of any size', () => {
    const parts = new PartList();
    const text =
      '{"id":"a","type":"source","title":"T","url":"https://example.com/"}\n{"id":"r","type":"reasoning","text":"So"}\n{"id":"r","append":" it is."}\n';
    for (const letter of text) parts.take(letter);
    expect(parts.items).toEqual([
      { id: 'a', type: 'source', title: 'T', url: 'https://example.com/' },
      { id: 'r', type: 'reasoning', text: 'So it is.' },
    ]);
  });

  it('replaces a line by a later one with the same id', () => {
    const parts = new PartList();
    parts.take('{"id":"c","type":"tool-call","name":"find","state":"running"}\n{"id":"s","type":"suggestion","text":"More"}\n');
    parts.take('{"id":"c","type":"tool-call","name":"find","state":"done"}\n');
    expect(parts.items.map(({ id }) => id)).toEqual(['c', 's']);
    expect(parts.items[0]).toMatchObject({ state: 'done' });
  });

  it.each([
    ['no JSON', 'oops\n'],
    ['no object', '5\n'],
    ['no id', '{"type":"source"}\n'],
    ['a type of tomorrow', '{"id":"x","type":"hologram"}\n'],
    ['more of a part that is not there', '{"id":"x","append":"more"}\n'],
    ['a line that has not ended', '{"id":"x","type":"suggestion","text":"T"}'],
  ])('leaves out %s', (_, line) => {
    const parts = new PartList();
    parts.take(line);
    expect(parts.items).toEqual([]);
  });
});
