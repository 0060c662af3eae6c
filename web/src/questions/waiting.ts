/** Questions of the agent's that wait for the person here. */

import { AgentError, type RoomAgent } from 'livekit-room-agent';
import { useEffect, useState } from 'react';

export interface Waiting<Asked, Answer> {
  readonly asked: Asked;
  readonly answer: (answer: Answer) => void;
}

/** Has the agent's questions put by `ask`, and those for which `over` is told so taken away; returns what ends that. */
type Hear<Asked, Answer> = (
  agent: RoomAgent,
  ask: (asked: Asked) => Promise<Answer>,
  over: (isOver: (asked: Asked) => boolean) => void,
) => () => void;

/** Oldest first. A question ends with its answer, when it is over, or with its time. The agent asks again after a lost
 * connection: a question stays meanwhile. */
export function useWaiting<Asked extends { readonly timeout: number }, Answer>(
  agent: RoomAgent,
  hear: Hear<Asked, Answer>,
): readonly Waiting<Asked, Answer>[] {
  const [waiting, setWaiting] = useState<readonly Waiting<Asked, Answer>[]>([]);
  useEffect(() => {
    const timers = new Map<Asked, ReturnType<typeof setTimeout>>();
    const over = (isOver: (asked: Asked) => boolean): void => {
      for (const [asked, timer] of timers) {
        if (!isOver(asked)) continue;
        clearTimeout(timer);
        timers.delete(asked);
      }
      setWaiting((all) => all.filter(({ asked }) => !isOver(asked)));
    };
    const ask = (asked: Asked): Promise<Answer> =>
      new Promise((resolve, reject) => {
        const remove = (): void => over((each) => each === asked);
        const answer = (given: Answer): void => {
          resolve(given);
          remove();
        };
        const giveUp = (): void => {
          reject(new AgentError(504, 'Nobody here has answered in time.'));
          remove();
        };
        timers.set(asked, setTimeout(giveUp, asked.timeout * 1000));
        setWaiting((all) => [...all, { asked, answer }]);
      });
    const off = hear(agent, ask, over);
    return () => {
      off();
      for (const timer of timers.values()) clearTimeout(timer);
      setWaiting([]);
    };
  }, [agent, hear]);
  return waiting;
}
