/** Connects to a room, and reconnects when the connection is lost. */

import { DisconnectReason, RoomEvent, type Room } from 'livekit-client';
import { useCallback, useEffect, useState } from 'react';
import { askForAccess, type Access } from './access.ts';
import type { Who } from './who.ts';

export type ConnectionState = 'connecting' | 'connected' | 'reconnecting' | 'elsewhere';

export interface Connection {
  readonly state: ConnectionState;
  /** Why the last attempt failed. */
  readonly problem: string | undefined;
  /** Reconnects after another tab has joined as the same person. */
  readonly comeBack: () => void;
}

const PAUSES = [1000, 2000, 4000, 8000, 15_000];
/** Milliseconds between attempts; the last value applies to all further ones. */
const pause = (attempt: number): number => PAUSES[Math.min(attempt, PAUSES.length - 1)] ?? 15_000;

/** Connects `room` while the component is mounted; `isListening`: whether all handlers are registered. */
export function useConnection(room: Room, who: Who, access: Access, isListening: boolean): Connection {
  const [state, setState] = useState<ConnectionState>('connecting');
  const [problem, setProblem] = useState<string>();
  const [visit, setVisit] = useState(0);

  useEffect(() => {
    if (!isListening) return undefined;
    let isOver = false;
    let attempts = 0;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let known: Access | undefined = visit === 0 ? access : undefined;

    const again = (why: unknown): void => {
      setProblem(why instanceof Error ? why.message : undefined);
      setState((before) => (before === 'connecting' ? before : 'reconnecting'));
      timer = setTimeout(() => void connect(), pause(attempts));
      attempts += 1;
    };
    const connect = async (): Promise<void> => {
      try {
        const { serverUrl, token } = known ?? (await askForAccess(who));
        known = undefined;
        if (isOver) return;
        await room.connect(serverUrl, token);
        attempts = 0;
      } catch (error) {
        if (!isOver) again(error);
      }
    };
    const onConnected = (): void => {
      setProblem(undefined);
      setState('connected');
    };
    const onReconnecting = (): void => setState('reconnecting');
    const onDisconnected = (reason?: DisconnectReason): void => {
      if (isOver) return;
      if (reason === DisconnectReason.DUPLICATE_IDENTITY) setState('elsewhere');
      // While connecting, `connect` reports it.
      else if (reason !== undefined) again(undefined);
    };
    room.on(RoomEvent.Connected, onConnected).on(RoomEvent.Reconnected, onConnected);
    room.on(RoomEvent.Reconnecting, onReconnecting).on(RoomEvent.SignalReconnecting, onReconnecting);
    room.on(RoomEvent.Disconnected, onDisconnected);
    void connect();
    return () => {
      isOver = true;
      clearTimeout(timer);
      room.off(RoomEvent.Connected, onConnected).off(RoomEvent.Reconnected, onConnected);
      room.off(RoomEvent.Reconnecting, onReconnecting).off(RoomEvent.SignalReconnecting, onReconnecting);
      room.off(RoomEvent.Disconnected, onDisconnected);
      void room.disconnect();
    };
  }, [room, who, access, isListening, visit]);

  const comeBack = useCallback(() => {
    setState('connecting');
    setVisit((count) => count + 1);
  }, []);
  return { state, problem, comeBack };
}
