/** Live captions from the room's transcriptions. */

import type { Room, TextStreamReader } from 'livekit-client';
import { useEffect, useState } from 'react';

const TOPIC = 'lk.transcription';
const KEPT = 2;
/** Milliseconds that a caption stays after its last word. */
const STAYS = 8000;

export interface Caption {
  /** Id of the segment, which is repeated as it grows. */
  readonly id: string;
  readonly identity: string;
  readonly text: string;
}

/** The newest segments, until a pause in speech. Use it before the room connects. */
export function useCaptions(room: Room): readonly Caption[] {
  const [captions, setCaptions] = useState<readonly Caption[]>([]);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const show = (caption: Caption): void => {
      setCaptions((all) => {
        const isKnown = all.some(({ id }) => id === caption.id);
        return isKnown ? all.map((each) => (each.id === caption.id ? caption : each)) : [...all, caption].slice(-KEPT);
      });
      clearTimeout(timer);
      timer = setTimeout(() => setCaptions([]), STAYS);
    };
    const read = async (reader: TextStreamReader, identity: string): Promise<void> => {
      const id = reader.info.attributes?.['lk.segment_id'] ?? reader.info.id;
      let text = '';
      for await (const chunk of reader) show({ id, identity, text: (text += chunk) });
    };
    room.registerTextStreamHandler(TOPIC, (reader, { identity }) => {
      // One that breaks off stays as far as it arrived.
      read(reader, identity).catch(() => undefined);
    });
    return () => {
      clearTimeout(timer);
      room.unregisterTextStreamHandler(TOPIC);
    };
  }, [room]);
  return captions;
}
