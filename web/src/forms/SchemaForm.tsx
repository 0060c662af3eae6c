/** A form for a JSON schema. */

import { AgentError } from 'livekit-room-agent';
import { useId, useMemo, useState, type FormEvent, type ReactElement, type ReactNode } from 'react';
import { oneLine } from '../ui/names.ts';
import { plain } from '../ui/plain.ts';
import { choiceText, fieldsOf, initially, payloadOf, type Field, type Schema, type Value } from './schema.ts';

/** Characters of a field's title, or of a choice. */
const LONGEST = 200;

interface Props {
  readonly schema: Schema;
  readonly submitLabel: string;
  readonly isBusy?: boolean;
  /** Whether required texts have to be filled in: empty, they may be what a tool is called with, but are no answer. */
  readonly mustFill?: boolean;
  /** Buttons beside that which submits. */
  readonly others?: ReactNode;
  /** Rejects with what is said under the form, or under the fields that it is about. */
  readonly onSubmit: (payload: Record<string, unknown>) => Promise<void>;
}

export function SchemaForm({ schema, submitLabel, isBusy = false, mustFill = false, others, onSubmit }: Props): ReactElement {
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
  const unnamed = Object.entries(problems).filter(([name]) => !known.has(name));
  return (
    <form className="schema-form" onSubmit={submit}>
      {fields.map((field) => (
        <FieldView
          key={field.name}
          field={field}
          value={typed[field.name] ?? ''}
          problem={problems[field.name]}
          mustFill={mustFill}
          set={(value) => setTyped((all) => ({ ...all, [field.name]: value }))}
        />
      ))}
      {unnamed.map(([name, problem]) => (
        <p key={name} className="failed" role="alert">
          {plain(name ? `${name}: ${problem}` : problem)}
        </p>
      ))}
      <div className="approval-row">
        <button type="submit" className="button primary" disabled={isBusy}>
          {submitLabel}
        </button>
        {others}
      </div>
    </form>
  );
}

interface FieldProps {
  readonly field: Field;
  readonly value: Value;
  readonly problem: string | undefined;
  readonly mustFill: boolean;
  readonly set: (value: Value) => void;
}

function FieldView({ field, value, problem, mustFill, set }: FieldProps): ReactElement {
  const id = useId();
  const { title, description, isRequired, kind } = field;
  const name = (
    <>
      <bdi>{oneLine(title, LONGEST)}</bdi>
      {isRequired && <span className="required"> required</span>}
    </>
  );
  const about = [description ? `${id}-about` : '', problem === undefined ? '' : `${id}-problem`].filter(Boolean).join(' ');
  const common = { id, 'aria-invalid': problem !== undefined, 'aria-describedby': about || undefined };
  const around = (
    <>
      {description && <p className="dim" id={`${id}-about`} dir="auto">{plain(description)}</p>}
      {kind === 'choices' ? <Choices field={field} value={value} set={set} /> : <Input common={common} field={field} value={value} mustFill={mustFill} set={set} />}
      {problem !== undefined && (
        <p className="failed" id={`${id}-problem`} role="alert">
          {plain(problem)}
        </p>
      )}
    </>
  );
  if (kind === 'choices') {
    return (
      <fieldset className="field" aria-describedby={about || undefined}>
        <legend>{name}</legend>
        {around}
      </fieldset>
    );
  }
  return (
    <div className={kind === 'switch' ? 'field switch' : 'field'}>
      <label htmlFor={id}>{name}</label>
      {around}
    </div>
  );
}

function Choices({ field: { choices }, value, set }: Pick<FieldProps, 'field' | 'value' | 'set'>): ReactElement {
  const chosen = Array.isArray(value) ? value : [];
  return (
    <>
      {choices.map(({ value: choice, label }) => {
        const text = choiceText(choice);
        const toggle = (): void => set(chosen.includes(text) ? chosen.filter((each) => each !== text) : [...chosen, text]);
        return (
          <label key={text} className="choice">
            <input type="checkbox" checked={chosen.includes(text)} onChange={toggle} /> <bdi>{oneLine(label, LONGEST)}</bdi>
          </label>
        );
      })}
    </>
  );
}

interface InputProps extends Pick<FieldProps, 'field' | 'value' | 'mustFill' | 'set'> {
  readonly common: { readonly id: string; readonly 'aria-invalid': boolean; readonly 'aria-describedby': string | undefined };
}

function Input({ common, field, value, mustFill, set }: InputProps): ReactElement {
  const { kind, textKind, choices, isRequired, minimum, maximum, minLength, maxLength } = field;
  if (kind === 'switch') {
    return <input {...common} type="checkbox" checked={value === true} onChange={(event) => set(event.target.checked)} />;
  }
  if (kind === 'choice') {
    return (
      <select {...common} value={String(value)} required={isRequired} onChange={(event) => set(event.target.value)}>
        <option value="">–</option>
        {choices.map(({ value: choice, label }) => (
          <option key={choiceText(choice)} value={choiceText(choice)}>
            {oneLine(label, LONGEST)}
          </option>
        ))}
      </select>
    );
  }
  const mustBe = isRequired && mustFill;
  if (kind === 'json') {
    return (
      <textarea {...common} rows={3} placeholder="JSON" spellCheck={false} value={String(value)} required={mustBe} onChange={(event) => set(event.target.value)} />
    );
  }
  const isNumber = kind !== 'text';
  return (
    <input
      {...common}
      type={isNumber ? 'number' : textKind}
      value={String(value)}
      required={isNumber ? isRequired : mustBe}
      step={kind === 'integer' ? 1 : 'any'}
      min={minimum}
      max={maximum}
      minLength={minLength}
      maxLength={maxLength}
      dir="auto"
      autoComplete="off"
      onChange={(event) => set(event.target.value)}
    />
  );
}
