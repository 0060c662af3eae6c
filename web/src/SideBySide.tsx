/** Two people in one window, each in a frame of this page. */

import type { ReactElement } from 'react';

const PEOPLE = [
  ['alice', 'Alice'],
  ['bob', 'Bob'],
] as const;

export function SideBySide(): ReactElement {
  const asked = new URLSearchParams(location.search);
  const theme = asked.get('theme');
  return (
    <main className="side-by-side">
      {PEOPLE.map(([identity, name]) => {
        const query = new URLSearchParams({ room: asked.get('room') ?? 'demo', identity, name, ...(theme ? { theme } : {}) });
        return <iframe key={identity} title={name} src={`/?${query}`} allow="microphone; clipboard-write; autoplay" />;
      })}
    </main>
  );
}
