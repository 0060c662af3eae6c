/** A data part: a chart, a form, a card with buttons, or other JSON in a readable form. */

import { useState, type ReactElement } from 'react';
import type { Message, Part } from 'livekit-room-agent';
import { SchemaForm } from '../forms/SchemaForm.tsx';
import { useRoomChat } from '../session/chat.ts';
import { oneLine, spoken } from '../ui/names.ts';
import { plain, plainJson } from '../ui/plain.ts';
import { Chart, isChart } from './Chart.tsx';

type DataPart = Extract<Part, { type: 'data' }>;
/** Characters of a heading, a field's name or a button. */
const LONGEST = 120;

type Fields = Readonly<Record<string, unknown>>;

interface Action {
  readonly action: string;
  readonly label: string;
  readonly payload?: object;
}

export function DataView({ part, message }: { part: DataPart; message: Message }): ReactElement {
  const { agent } = useRoomChat();
  const [said, setSaid] = useState<string>();
  const act = async (action: string, payload?: object): Promise<void> => {
    setSaid(undefined);
    const answer = await agent.act(message.id, part.id, action, payload);
    setSaid(typeof answer === 'string' ? answer : JSON.stringify(answer));
  };
  const { value, schema, name } = part;
  const fields = isFields(value) ? value : undefined;
  const title = oneLine(typeof fields?.['title'] === 'string' ? fields['title'] : spoken(name), LONGEST);
  return (
    <section className="data" aria-label={title}>
      <h3 dir="auto">{title}</h3>
      {isChart(value) ? <Chart chart={value} /> : fields ? <FieldList fields={fields} /> : <pre tabIndex={0}>{plainJson(value)}</pre>}
      {fields && <Buttons actions={actionsOf(fields)} act={act} />}
      {schema && <SchemaForm schema={schema} submitLabel="Send" onSubmit={(payload) => act('submit', payload)} />}
      {said !== undefined && (
        <p className="said" role="status" dir="auto">
          {plain(said)}
        </p>
      )}
    </section>
  );
}

function Buttons({ actions, act }: { actions: readonly Action[]; act: (action: string, payload?: object) => Promise<void> }): ReactElement | null {
  const { complain } = useRoomChat();
  if (!actions.length) return null;
  return (
    <div className="approval-row">
      {actions.map(({ action, label, payload }) => (
        <button type="button" className="button" key={action} dir="auto" onClick={() => void act(action, payload).catch(complain)}>
          {oneLine(label, LONGEST)}
        </button>
      ))}
    </div>
  );
}

function FieldList({ fields }: { fields: Fields }): ReactElement {
  const shown = Object.entries(fields).filter(([key]) => key !== 'title' && key !== 'actions');
  return (
    <dl>
      {shown.map(([key, value]) => (
        <div key={key}>
          <dt dir="auto">{oneLine(spoken(key), LONGEST)}</dt>
          <dd dir="auto">{typeof value === 'object' && value !== null ? <pre tabIndex={0}>{plainJson(value)}</pre> : plain(String(value))}</dd>
        </div>
      ))}
    </dl>
  );
}

const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value);

/** `value.actions`: `[{"action": "cancel", "label": "Cancel the order", "payload"?: {…}}]`. */
function actionsOf(fields: Fields): readonly Action[] {
  const given = fields['actions'];
  if (!Array.isArray(given)) return [];
  return given.filter((each): each is Action => isFields(each) && typeof each['action'] === 'string' && typeof each['label'] === 'string');
}
