/** A form for a JSON schema. */

import { AgentError } from 'livekit-room-agent';
import { useId, useMemo, useState, type FormEvent, type ReactElement } from 'react';
import { choiceText, fieldsOf, initially, payloadOf, type Field, type Schema } from './schema.ts';

interface Props {
  readonly schema: Schema;
  readonly submitLabel: string;
  readonly isBusy?: boolean;
  /** Rejects with what is said under the form, or under the fields that it is about. */
  readonly onSubmit: (payload: Record<string, unknown>) => Promise<void>;
}

export function SchemaForm({ schema, submitLabel, isBusy = false, onSubmit }: Props): ReactElement {
  const fields = useMemo(() => fieldsOf(schema), [schema]);
  const [typed, setTyped] = useState(() => initially(fields));
  const [problems, setProblems] = useState<Readonly<Record<string, string>>>({});
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    setProblems({});
    Promise.resolve()
      .then(() => onSubmit(payloadOf(fields, typed)))
      .catch((error: unknown) => {
        const named = error instanceof AgentError ? error.fields : undefined;
        setProblems(named ?? { '': error instanceof Error ? error.message : String(error) });
      });
  };
  const known = new Set(fields.map(({ name }) => name));
  const others = Object.entries(problems).filter(([name]) => !known.has(name));
  return (
    <form className="schema-form" onSubmit={submit}>
      {fields.map((field) => (
        <FieldView key={field.name} field={field} value={typed[field.name] ?? ''} problem={problems[field.name]} set={(value) => setTyped((all) => ({ ...all, [field.name]: value }))} />
      ))}
      {others.map(([name, problem]) => (
        <p key={name} className="failed" role="alert">
          {name ? `${name}: ${problem}` : problem}
        </p>
      ))}
      <button type="submit" className="button primary" disabled={isBusy}>
        {submitLabel}
      </button>
    </form>
  );
}

interface FieldProps {
  readonly field: Field;
  readonly value: string | boolean;
  readonly problem: string | undefined;
  readonly set: (value: string | boolean) => void;
}

function FieldView({ field, value, problem, set }: FieldProps): ReactElement {
  const id = useId();
  const { title, description, isRequired } = field;
  return (
    <div className="field">
      <label htmlFor={id}>
        {title}
        {isRequired && <span className="required"> required</span>}
      </label>
      {description && <p className="dim" id={`${id}-about`}>{description}</p>}
      <Input id={id} field={field} value={value} set={set} isWrong={problem !== undefined} />
      {problem !== undefined && (
        <p className="failed" id={`${id}-problem`} role="alert">
          {problem}
        </p>
      )}
    </div>
  );
}

function Input({ id, field, value, set, isWrong }: Omit<FieldProps, 'problem'> & { id: string; isWrong: boolean }): ReactElement {
  const { kind, choices, isRequired, minimum, maximum, maxLength, description } = field;
  const about = [description ? `${id}-about` : '', isWrong ? `${id}-problem` : ''].filter(Boolean).join(' ');
  const common = { id, 'aria-invalid': isWrong, 'aria-describedby': about || undefined };
  if (kind === 'switch') {
    return <input {...common} type="checkbox" checked={value === true} onChange={(event) => set(event.target.checked)} />;
  }
  if (kind === 'choice') {
    return (
      <select {...common} value={String(value)} required={isRequired} onChange={(event) => set(event.target.value)}>
        <option value="">–</option>
        {choices.map((choice) => (
          <option key={choiceText(choice)}>{choiceText(choice)}</option>
        ))}
      </select>
    );
  }
  if (kind === 'json') {
    return <textarea {...common} rows={3} placeholder="JSON" spellCheck={false} value={String(value)} onChange={(event) => set(event.target.value)} />;
  }
  const isNumber = kind !== 'text';
  return (
    <input
      {...common}
      type={isNumber ? 'number' : 'text'}
      value={String(value)}
      required={isRequired && isNumber}
      step={kind === 'integer' ? 1 : 'any'}
      min={minimum}
      max={maximum}
      maxLength={maxLength}
      dir="auto"
      autoComplete="off"
      onChange={(event) => set(event.target.value)}
    />
  );
}
