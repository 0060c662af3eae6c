/** What tools ask the person: fields to fill in, a page to open, or yes or no. */

import type { Elicitation, ElicitationAnswer, RoomAgent } from 'livekit-room-agent';
import { useId, type ReactElement } from 'react';
import { SchemaForm } from '../forms/SchemaForm.tsx';
import { useRoomChat } from '../session/chat.ts';
import { Icon } from '../ui/icons.tsx';
import { oneLine } from '../ui/names.ts';
import { plain } from '../ui/plain.ts';
import { QuestionCard } from './QuestionCard.tsx';
import { useWaiting } from './waiting.ts';

/** A question ends with the call that asks it, at the latest. */
function hear(
  agent: RoomAgent,
  ask: (question: Elicitation) => Promise<ElicitationAnswer>,
  over: (isOver: (question: Elicitation) => boolean) => void,
): () => void {
  const offs = [
    agent.onElicitation(ask),
    agent.on('elicitationEnd', ({ questionId }) => over((question) => question.questionId === questionId)),
    agent.on('tool', ({ callId, state }) => {
      if (state === 'finished') over((question) => question.callId === callId);
    }),
  ];
  return () => offs.forEach((off) => off());
}

export function Elicitations(): ReactElement | null {
  const { agent } = useRoomChat();
  const waiting = useWaiting(agent, hear);
  if (!waiting.length) return null;
  return (
    <div className="approvals">
      {waiting.map(({ asked, answer }) => (
        <Question key={asked.questionId} asked={asked} answer={answer} />
      ))}
    </div>
  );
}

interface QuestionProps {
  readonly asked: Elicitation;
  readonly answer: (answer: ElicitationAnswer) => void;
}

function Question({ asked, answer }: QuestionProps): ReactElement {
  const id = useId();
  const { tool, message, schema, url } = asked;
  const hasFields = Object.keys((schema?.['properties'] as object | undefined) ?? {}).length > 0;
  return (
    <QuestionCard aria-labelledby={`${id}-tool`} aria-describedby={`${id}-message`}>
      <p id={`${id}-tool`}>
        <Icon name="question" size={18} /> <code>{oneLine(tool)}</code> asks
      </p>
      <p id={`${id}-message`} className="asked" dir="auto" tabIndex={0}>
        {plain(message)}
      </p>
      {url !== undefined ? (
        <PageToOpen url={url} answer={answer} />
      ) : schema && hasFields ? (
        <>
          <SchemaForm
            schema={schema}
            submitLabel="Send"
            mustFill
            others={<No answer={answer} />}
            onSubmit={async (content) => answer({ action: 'accept', content })}
          />
          <p className="dim">{oneLine(tool)} gets what you enter. Enter no passwords.</p>
        </>
      ) : (
        <div className="approval-row">
          <button type="button" className="button primary" onClick={() => answer({ action: 'accept', content: {} })}>
            Yes
          </button>
          <No label="No" answer={answer} />
        </div>
      )}
    </QuestionCard>
  );
}

/** Declining is an answer, cancelling is none. */
function No({ label = 'Decline', answer }: Pick<QuestionProps, 'answer'> & { label?: string }): ReactElement {
  return (
    <>
      <button type="button" className="button" onClick={() => answer({ action: 'decline' })}>
        {label}
      </button>
      <button type="button" className="button" onClick={() => answer({ action: 'cancel' })}>
        Cancel
      </button>
    </>
  );
}

/** The whole address is shown before it is opened, its host apart. */
function PageToOpen({ url, answer }: { url: string } & Pick<QuestionProps, 'answer'>): ReactElement {
  const page = webPage(url);
  const open = (): void => {
    window.open(page?.href, '_blank', 'noopener,noreferrer');
    answer({ action: 'accept', content: {} });
  };
  return (
    <>
      {page ? (
        <p>
          This opens a page at <strong>{page.host}</strong>:
        </p>
      ) : (
        <p className="failed">This is no address of a web page:</p>
      )}
      <code className="address" dir="ltr">
        {page?.href ?? oneLine(url)}
      </code>
      <div className="approval-row">
        {page && (
          <button type="button" className="button primary" onClick={open}>
            Open {page.host}
          </button>
        )}
        <No answer={answer} />
      </div>
    </>
  );
}

/** What is shown is what will be opened: hosts in Punycode, and no user's name that looks like one. */
function webPage(url: string): URL | undefined {
  const page = URL.canParse(url) ? new URL(url) : undefined;
  const isPlain = page && /^https?:$/.test(page.protocol) && !page.username && !page.password;
  return isPlain ? page : undefined;
}
