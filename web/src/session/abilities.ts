/** The agent's methods: a worker of an earlier version has fewer methods. */

import { useCallback, useSyncExternalStore } from 'react';
import { useRoomChat } from './chat.ts';

/** Whether the agent has a method; without an agent, whether the next one may have it. */
export function useAbilities(): (method: string) => boolean {
  const { agent } = useRoomChat();
  const subscribe = useCallback((changed: () => void) => agent.on('ready', changed), [agent]);
  const methods = useSyncExternalStore(subscribe, () => agent.methods.join());
  return (method) => methods === '' || methods.split(',').includes(method);
}
