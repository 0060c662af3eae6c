/** Fake time that passes only when all is quiet: Node hashes in threads, which fake timers do not wait for. */

import { vi } from 'vitest';

const hashing = new Set<Promise<unknown>>();
const { subtle } = globalThis.crypto;
const digest = subtle.digest.bind(subtle);

subtle.digest = (...args) => {
  const hash = digest(...args);
  hashing.add(hash);
  const forget = (): void => void hashing.delete(hash);
  void hash.then(forget, forget);
  return hash;
};

/** Lets all that can go on go on, without time passing. */
export async function settle(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
  while (hashing.size > 0) {
    await Promise.allSettled(hashing);
    await vi.advanceTimersByTimeAsync(0);
  }
}

/** The same, and lets so much time pass then. */
export async function pass(milliseconds: number): Promise<void> {
  await settle();
  await vi.advanceTimersByTimeAsync(milliseconds);
  await settle();
}
