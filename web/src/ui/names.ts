/** Names come from other people: they are shown on one line, without characters that reverse or hide text. */

const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]+/gu;
const LONGEST = 64;

/** `longest`: characters. */
export function oneLine(name: string, longest = LONGEST): string {
  const plain = name.replace(HIDDEN, ' ').replace(/\s+/g, ' ').trim();
  return plain.length > longest ? `${[...plain].slice(0, longest - 1).join('')}…` : plain;
}

/** `order-card`, `orderCard` and `order_card` as words. */
export function spoken(name: string): string {
  const words = name.replace(/[-_]+/g, ' ').replace(/([a-z])([A-Z])/g, '$1 $2').toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export function initials(name: string): string {
  const words = oneLine(name).split(' ').filter(Boolean);
  const letters = words.length > 1 ? [words[0], words.at(-1)] : [words[0] ?? '?'];
  return letters.map((word) => [...(word ?? '')][0] ?? '').join('').toUpperCase();
}

const UNITS = ['B', 'kB', 'MB', 'GB'];

export function bytes(size: number): string {
  const power = Math.min(Math.floor(Math.log10(Math.max(size, 1)) / 3), UNITS.length - 1);
  const value = size / 1000 ** power;
  return `${value < 10 && power > 0 ? value.toFixed(1) : Math.round(value)} ${UNITS[power]}`;
}

export const clock = (timestamp: number): string =>
  new Date(timestamp).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
