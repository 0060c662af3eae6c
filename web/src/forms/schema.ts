/** The fields of a form, from a JSON schema of an object as Pydantic and people write them. */

export type Schema = Readonly<Record<string, unknown>>;

export type FieldKind = 'text' | 'number' | 'integer' | 'switch' | 'choice' | 'json';

export interface Field {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly kind: FieldKind;
  readonly isRequired: boolean;
  readonly choices: readonly unknown[];
  readonly initial: unknown;
  readonly minimum: number | undefined;
  readonly maximum: number | undefined;
  readonly maxLength: number | undefined;
}

/** What a form holds, by field: text as it was typed, or whether a switch is on. */
export type Typed = Readonly<Record<string, string | boolean>>;

export function fieldsOf(schema: Schema): readonly Field[] {
  const properties = objectOf(schema['properties']);
  const required = Array.isArray(schema['required']) ? schema['required'] : [];
  return Object.entries(properties).map(([name, given]) => fieldOf(name, objectOf(given), schema, required.includes(name)));
}

function fieldOf(name: string, given: Schema, root: Schema, isRequired: boolean): Field {
  const schema = { ...resolved(given, root), ...withoutChoice(given) };
  const choices = Array.isArray(schema['enum']) ? schema['enum'] : [];
  const number = (key: string): number | undefined => (typeof schema[key] === 'number' ? schema[key] : undefined);
  return {
    name,
    title: name,
    description: typeof schema['description'] === 'string' ? schema['description'] : '',
    kind: choices.length ? 'choice' : kindOf(schema['type']),
    isRequired,
    choices,
    initial: schema['default'],
    minimum: number('minimum'),
    maximum: number('maximum'),
    maxLength: number('maxLength'),
  };
}

const KINDS: Readonly<Record<string, FieldKind>> = { string: 'text', number: 'number', integer: 'integer', boolean: 'switch' };

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
    fields.map(({ name, kind, initial }) => {
      if (kind === 'switch') return [name, initial === true];
      if (initial === undefined || initial === null) return [name, ''];
      return [name, kind === 'json' || (kind === 'choice' && typeof initial !== 'string') ? JSON.stringify(initial) : String(initial)];
    }),
  );
}

export const choiceText = (choice: unknown): string => (typeof choice === 'string' ? choice : JSON.stringify(choice));

/** The payload; what is empty and not required is left out. Throws an Error that names the field. */
export function payloadOf(fields: readonly Field[], typed: Typed): Record<string, unknown> {
  const payload: Record<string, unknown> = {};
  for (const field of fields) {
    const value = typed[field.name] ?? '';
    if (field.kind === 'switch') {
      if (field.isRequired || value !== (field.initial === true)) payload[field.name] = value;
    } else if (value !== '' || (field.isRequired && field.kind === 'text')) {
      payload[field.name] = valueOf(field, String(value));
    }
  }
  return payload;
}

function valueOf({ name, kind, choices }: Field, text: string): unknown {
  if (kind === 'choice') return choices.find((choice) => choiceText(choice) === text);
  if (kind === 'number' || kind === 'integer') return Number(text);
  if (kind !== 'json') return text;
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`${name}: this is no JSON`);
  }
}
