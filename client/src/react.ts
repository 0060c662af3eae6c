/** Hooks for RoomAgent. They render when their value changes, and own nothing. */

import { useCallback, useEffect, useState, useSyncExternalStore } from 'react';
import { RoomAgent } from './agent.js';
import type { AgentState, RoomAgentOptions, ToolCall } from './api.js';
import type { Element, Whiteboard } from './board.js';
import type { Message, MessageList } from './messages.js';
import type { RoomLike } from './room.js';
import type { SharedState } from './state.js';

/** A RoomAgent for a room, closed when the component unmounts. Use it where the room is created, before it connects;
 * next to the hooks of components-react, pass `chatTopic: null`. */
export function useRoomAgent(room: RoomLike, options: RoomAgentOptions = {}): RoomAgent | undefined {
  const { identity, replyTopic, chatTopic } = options;
  const [agent, setAgent] = useState<RoomAgent>();
  useEffect(() => {
    const made = new RoomAgent(room, {
      ...(identity === undefined ? {} : { identity }),
      ...(replyTopic === undefined ? {} : { replyTopic }),
      ...(chatTopic === undefined ? {} : { chatTopic }),
    });
    setAgent(made);
    return () => made.close();
  }, [room, identity, replyTopic, chatTopic]);
  return agent;
}

const NONE: readonly never[] = [];

/** The ordered messages of a thread. */
export function useMessages(list: MessageList | undefined): readonly Message[] {
  const subscribe = useCallback((changed: () => void) => list?.subscribe(changed) ?? (() => undefined), [list]);
  const read = (): readonly Message[] => list?.items ?? NONE;
  return useSyncExternalStore(subscribe, read, read);
}

export function useAgentState(agent: RoomAgent | undefined): AgentState {
  const subscribe = useCallback((changed: () => void) => agent?.on('state', changed) ?? (() => undefined), [agent]);
  const read = (): AgentState => agent?.state ?? 'away';
  return useSyncExternalStore(subscribe, read, read);
}

/** The tool calls in progress. */
export function useToolCalls(agent: RoomAgent | undefined): readonly ToolCall[] {
  const [calls, setCalls] = useState<readonly ToolCall[]>(NONE);
  useEffect(() => {
    if (!agent) return undefined;
    const offTool = agent.on('tool', (call) =>
      setCalls((known) => {
        const others = known.filter(({ callId }) => callId !== call.callId);
        return call.state === 'finished' ? others : [...others, call];
      }),
    );
    // Nobody reports the end of calls whose agent has left.
    const offState = agent.on('state', (state) => {
      if (state === 'away') setCalls(NONE);
    });
    return () => {
      offTool();
      offState();
    };
  }, [agent]);
  return calls;
}

export function useWhiteboard(whiteboard: Whiteboard | undefined): readonly Element[] {
  const [elements, setElements] = useState<readonly Element[]>(NONE);
  useEffect(() => {
    if (!whiteboard) return undefined;
    setElements(whiteboard.elements);
    return whiteboard.subscribe(() => setElements(whiteboard.elements));
  }, [whiteboard]);
  return elements;
}

/** The document that a conversation shares, read at first and after each change. */
export function useSharedState(state: SharedState | undefined): unknown {
  const subscribe = useCallback((changed: () => void) => state?.subscribe(changed) ?? (() => undefined), [state]);
  const read = (): unknown => state?.value;
  useEffect(() => {
    // A document that cannot be read now is read after its next change.
    if (state && state.revision < 0) state.load().catch(() => undefined);
  }, [state]);
  return useSyncExternalStore(subscribe, read, read);
}
