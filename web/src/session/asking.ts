/** Questions in progress, and the upload progress of their files. */

import { useCallback, useMemo, useRef, useState } from 'react';
import type { Asking, RoomAgent } from 'livekit-room-agent';
import type { Question, UnderWay, Upload } from './chat.ts';

export interface Questions {
  readonly underWay: UnderWay;
  readonly ask: (question: Question) => void;
  readonly stop: () => void;
}

const sizeOf = (data: Blob | Uint8Array): number => (data instanceof Uint8Array ? data.length : data.size);
const nameOf = (data: Blob | Uint8Array): string => (data instanceof File ? data.name : 'file');

export function useQuestions(agent: RoomAgent | undefined, complain: (error: unknown) => void): Questions {
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const [uploads, setUploads] = useState<ReadonlyMap<string, readonly Upload[]>>(new Map());
  const asked = useRef(new Map<string, Asking>());

  const ask = useCallback(
    ({ text, isPrivate, files, replyTo }: Question) => {
      if (!agent) return;
      let id = '';
      const onProgress = (index: number, fraction: number): void =>
        setUploads((known) => {
          const begun = known.get(id);
          // Stopped: uploads that still run are not shown any more.
          if (!begun) return known;
          const changed = begun.map((upload, at) => (at === index ? { ...upload, fraction } : upload));
          return new Map(known).set(id, changed);
        });
      const asking = agent.ask(text, {
        private: isPrivate,
        attachments: files,
        onProgress,
        ...(replyTo === undefined ? {} : { replyTo }),
      });
      id = asking.id;
      asked.current.set(id, asking);
      setOpen((known) => new Set(known).add(id));
      if (files.length) {
        const begun = files.map(({ data, name }) => ({ name: name ?? nameOf(data), size: sizeOf(data), fraction: 0 }));
        setUploads((known) => new Map(known).set(id, begun));
      }
      const forget = (): void => {
        asked.current.delete(id);
        setOpen((known) => new Set([...known].filter((each) => each !== id)));
        setUploads((known) => new Map([...known].filter(([each]) => each !== id)));
      };
      asking.answer.then(forget, forget);
    },
    [agent],
  );

  const stop = useCallback(() => {
    for (const asking of asked.current.values()) asking.stop().catch(complain);
  }, [complain]);

  const underWay = useMemo(() => ({ open, uploads }), [open, uploads]);
  return { underWay, ask, stop };
}
