/** The fields of a form, from a JSON schema of an object as Pydantic, MCP servers and people write them. */

import { AgentError } from 'livekit-room-agent';
import { spoken } from '../ui/names.ts';

export type Schema = Readonly<Record<string, unknown>>;

export type FieldKind = 'text' | 'number' | 'integer' | 'switch' | 'choice' | 'choices' | 'json';

/** What a browser checks, and helps with, in a field of text. */
export type TextKind = 'text' | 'email' | 'url' | 'date' | 'datetime-local';

export interface Choice {
  readonly value: unknown;
  readonly label: string;
}

export interface Field {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly kind: FieldKind;
  readonly isRequired: boolean;
  readonly textKind: TextKind;
  readonly choices: readonly Choice[];
  readonly initial: unknown;
  readonly minimum: number | undefined;
  readonly maximum: number | undefined;
  readonly minLength: number | undefined;
  readonly maxLength: number | undefined;
  /** How many are chosen at least, and at most. */
  readonly minItems: number | undefined;
  readonly maxItems: number | undefined;
}

/** What a field holds: text as it was typed, whether a switch is on, or the texts of what is chosen. */
export type Value = string | boolean | readonly string[];

/** By field. */
export type Typed = Readonly<Record<string, Value>>;

export function fieldsOf(schema: Schema): readonly Field[] {
  const properties = objectOf(schema['properties']);
  const required = Array.isArray(schema['required']) ? schema['required'] : [];
  return Object.entries(properties).map(([name, given]) => fieldOf(name, objectOf(given), schema, required.includes(name)));
}

function fieldOf(name: string, given: Schema, root: Schema, isRequired: boolean): Field {
  const schema = { ...resolved(given, root), ...withoutChoice(given) };
  const several = schema['type'] === 'array' ? choicesOf(objectOf(schema['items'])) : [];
  const choices = several.length ? several : choicesOf(schema);
  const text = (key: string): string => (typeof schema[key] === 'string' ? schema[key] : '');
  const number = (key: string): number | undefined => (typeof schema[key] === 'number' ? schema[key] : undefined);
  return {
    name,
    title: text('title') || spoken(name),
    description: text('description'),
    kind: several.length ? 'choices' : choices.length ? 'choice' : kindOf(schema['type']),
    isRequired,
    textKind: TEXT_KINDS[text('format')] ?? 'text',
    choices,
    initial: schema['default'],
    minimum: number('minimum'),
    maximum: number('maximum'),
    minLength: number('minLength'),
    maxLength: number('maxLength'),
    minItems: number('minItems'),
    maxItems: number('maxItems'),
  };
}

/** `enum`, with its titles in `enumNames`, or constants with titles. */
function choicesOf(schema: Schema): readonly Choice[] {
  const constants = [schema['oneOf'], schema['anyOf']].find((all) => Array.isArray(all) && all.length && all.every((each) => 'const' in objectOf(each)));
  if (Array.isArray(constants)) {
    return constants.map(objectOf).map(({ const: value, title }) => ({ value, label: typeof title === 'string' ? title : choiceText(value) }));
  }
  const values = Array.isArray(schema['enum']) ? schema['enum'] : [];
  const names: unknown[] = Array.isArray(schema['enumNames']) ? schema['enumNames'] : [];
  return values.map((value: unknown, index) => {
    const name = names[index];
    return { value, label: typeof name === 'string' ? name : choiceText(value) };
  });
}

const KINDS: Readonly<Record<string, FieldKind>> = { string: 'text', number: 'number', integer: 'integer', boolean: 'switch' };

const TEXT_KINDS: Readonly<Record<string, TextKind>> = { email: 'email', uri: 'url', date: 'date', 'date-time': 'datetime-local' };

const kindOf = (type: unknown): FieldKind => (typeof type === 'string' ? KINDS[type] : undefined) ?? 'json';

/** Resolves a reference, and chooses the alternative of `anyOf` that is not null. */
function resolved(schema: Schema, root: Schema): Schema {
  const reference = schema['$ref'];
  if (typeof reference === 'string' && reference.startsWith('#/')) {
    const found = reference.slice(2).split('/').reduce<unknown>((at, key) => objectOf(at)[key], root);
    return objectOf(found);
  }
  const others = Array.isArray(schema['anyOf']) ? schema['anyOf'].map(objectOf).filter(({ type }) => type !== 'null') : [];
  return others.length === 1 && others[0] ? resolved(others[0], root) : schema;
}

const withoutChoice = ({ $ref: _, anyOf: __, ...rest }: Schema & { $ref?: unknown; anyOf?: unknown }): Schema => rest;

const objectOf = (value: unknown): Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Schema) : {};

export function initially(fields: readonly Field[]): Typed {
  return Object.fromEntries(
    fields.map(({ name, kind, initial, textKind }) => {
      if (kind === 'switch') return [name, initial === true];
      if (kind === 'choices') return [name, Array.isArray(initial) ? initial.map(choiceText) : []];
      if (kind === 'text' && textKind === 'datetime-local') return [name, localTime(initial)];
      if (initial === undefined || initial === null) return [name, ''];
      return [name, kind === 'json' || (kind === 'choice' && typeof initial !== 'string') ? JSON.stringify(initial) : String(initial)];
    }),
  );
}

export const choiceText = (choice: unknown): string => (typeof choice === 'string' ? choice : JSON.stringify(choice));

/** A moment as a field for one holds it: by the clock of this device, in minutes. */
function localTime(moment: unknown): string {
  const time = typeof moment === 'string' ? Date.parse(moment) : NaN;
  if (Number.isNaN(time)) return '';
  return new Date(time - new Date(time).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** The payload; what is empty and not required is left out. Throws an AgentError that names the field. */
export function payloadOf(fields: readonly Field[], typed: Typed): Record<string, unknown> {
  const payload: Record<string, unknown> = {};
  for (const field of fields) {
    const value = typed[field.name] ?? '';
    if (field.kind === 'switch') {
      if (field.isRequired || value !== (field.initial === true)) payload[field.name] = value;
    } else if (field.kind === 'choices') {
      const chosen = chosenOf(field, Array.isArray(value) ? value : []);
      if (chosen.length || field.isRequired) payload[field.name] = chosen;
    } else if (value !== '' || (field.isRequired && field.kind === 'text')) {
      payload[field.name] = valueOf(field, String(value));
    }
  }
  return payload;
}

function chosenOf({ name, choices, isRequired, minItems = 0, maxItems = Infinity }: Field, texts: readonly string[]): readonly unknown[] {
  const chosen = choices.map(({ value }) => value).filter((value) => texts.includes(choiceText(value)));
  if (chosen.length < minItems && (chosen.length || isRequired)) throw problem(name, `choose ${minItems} or more`);
  if (chosen.length > maxItems) throw problem(name, `choose ${maxItems} at most`);
  return chosen;
}

function valueOf({ name, kind, choices, textKind }: Field, text: string): unknown {
  if (kind === 'choice') return choices.find(({ value }) => choiceText(value) === text)?.value;
  if (kind === 'number' || kind === 'integer') return Number(text);
  if (kind === 'text' && textKind === 'datetime-local' && text) return new Date(text).toISOString();
  if (kind !== 'json') return text;
  try {
    return JSON.parse(text);
  } catch {
    throw problem(name, 'this is no JSON');
  }
}

const problem = (name: string, what: string): AgentError => new AgentError(400, `${name}: ${what}`, { fields: { [name]: what } });
