/** Checked by the compiler alone: livekit-client's Room is what the client package takes for a room. */

import type { Room } from 'livekit-client';
import type { RoomLike } from 'livekit-room-agent';

type Is<Given extends Expected, Expected> = Given;

export type RoomIsRoomLike = Is<Room, RoomLike>;
// @ts-expect-error -- so that this file can fail: a room without streams is none
export type HalfARoomIsNot = Is<Omit<Room, 'registerTextStreamHandler'>, RoomLike>;
