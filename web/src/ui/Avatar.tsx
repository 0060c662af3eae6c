import type { ReactElement } from 'react';
import { Icon } from './icons.tsx';
import { initials, oneLine } from './names.ts';

const HUES = 8;

/** Gives an identity the same colour on everybody's page. */
function hueOf(identity: string): number {
  let sum = 7;
  for (const letter of identity) sum = (sum * 31 + (letter.codePointAt(0) ?? 0)) % 9973;
  return sum % HUES;
}

export function Avatar({ identity, name, isAgent = false }: { identity: string; name: string; isAgent?: boolean }): ReactElement {
  return (
    <span className={`avatar ${isAgent ? 'avatar-agent' : `avatar-${hueOf(identity)}`}`} title={oneLine(name || identity)} aria-hidden="true">
      {isAgent ? <Icon name="spark" size={17} /> : initials(name || identity)}
    </span>
  );
}
