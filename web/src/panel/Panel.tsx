/** The side panel: tools, the wire, the whiteboard, people, settings. */

import { useEffect, useRef, type ReactElement } from 'react';
import type { IconName } from '../ui/icons.tsx';
import { IconButton } from '../ui/IconButton.tsx';
import { BoardView } from './BoardView.tsx';
import { PeopleView } from './PeopleView.tsx';
import { SearchView } from './SearchView.tsx';
import { SettingsView } from './SettingsView.tsx';
import { ThreadsView } from './ThreadsView.tsx';
import { ToolsView } from './ToolsView.tsx';
import type { WireLog } from './wire.ts';
import { WireView } from './WireView.tsx';

export type PanelName = 'threads' | 'tools' | 'wire' | 'board' | 'people' | 'search' | 'settings';

export const PANELS: readonly (readonly [PanelName, string, IconName])[] = [
  ['search', 'Search', 'search'],
  ['threads', 'Threads', 'threads'],
  ['people', 'People', 'people'],
  ['tools', 'Tools', 'tools'],
  ['board', 'Whiteboard', 'board'],
  ['wire', 'Wire', 'wire'],
  ['settings', 'Settings', 'settings'],
];

export function Panel({ name, log, onClose }: { name: PanelName; log: WireLog; onClose: () => void }): ReactElement {
  const heading = useRef<HTMLHeadingElement>(null);
  const title = PANELS.find(([each]) => each === name)?.[1] ?? '';
  // Moves the focus to the panel.
  useEffect(() => {
    heading.current?.focus({ preventScroll: true });
  }, [name]);
  return (
    <aside className={`panel panel-${name}`} aria-label={title} onKeyDown={(event) => event.key === 'Escape' && onClose()}>
      <header>
        <h2 ref={heading} tabIndex={-1}>
          {title}
        </h2>
        <IconButton icon="close" label={`Close ${title.toLowerCase()}`} onClick={onClose} />
      </header>
      <div className="panel-body" tabIndex={0} role="region" aria-label={`${title}, content`}>
        {name === 'tools' && <ToolsView />}
        {name === 'wire' && <WireView log={log} />}
        {name === 'board' && <BoardView />}
        {name === 'people' && <PeopleView />}
        {name === 'search' && <SearchView />}
        {name === 'threads' && <ThreadsView />}
        {name === 'settings' && <SettingsView />}
      </div>
    </aside>
  );
}
