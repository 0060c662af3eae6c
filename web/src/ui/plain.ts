/** Text of tools, models and other people, without invisible and direction-changing characters: what is read is what is there.
 * Joiners and direction marks stay: Persian, emoji, Hebrew and Arabic have them. */

const UNSEEN = /(?![\n\t\u200c-\u200f\u061c])[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu;
const UNSEEN_IN_JSON = /(?![\n\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu;

export const plain = (text: string): string => text.replace(UNSEEN, '');

/** JSON in which characters that are not seen stand as escapes. */
export const plainJson = (value: unknown): string => escaped(JSON.stringify(value, null, 2) ?? '');

/** A result as JSON on several lines if it is JSON, else as it is; what is not seen stands as escapes. */
export function plainResult(text: string): string {
  try {
    return plainJson(JSON.parse(text));
  } catch {
    return plain(text);
  }
}

const escaped = (text: string): string => text.replace(UNSEEN_IN_JSON, (found) => [...found].map(escape).join(''));

const escape = (character: string): string =>
  Array.from({ length: character.length }, (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`).join('');
