/** The whiteboard, with the others' cursors. */

import { useWhiteboard } from 'livekit-room-agent/react';
import type { Cursor, Element } from 'livekit-room-agent';
import { useEffect, useRef, useState, type PointerEvent, type ReactElement } from 'react';
import { useRoomChat } from '../session/chat.ts';
import { Icon } from '../ui/icons.tsx';
import { IconButton } from '../ui/IconButton.tsx';
import { oneLine } from '../ui/names.ts';

const WIDTH = 1000;
const HEIGHT = 1000;
const COLORS = ['#4f46e5', '#c0388b', '#0f9488', '#d97706', '#6b7280'] as const;
/** Milliseconds between two cursor packets, and until an idle cursor is hidden. */
const POINTING = 50;
const STILL = 8000;

type Point = readonly [number, number];
type Pen = 'draw' | 'note' | 'erase';

export function BoardView(): ReactElement {
  const { agent, isConnected, complain } = useRoomChat();
  const elements = useWhiteboard(agent.whiteboard);
  const cursors = useCursors();
  const surface = useRef<SVGSVGElement>(null);
  const [pen, setPen] = useState<Pen>('draw');
  const [color, setColor] = useState<string>(COLORS[0]);
  const [stroke, setStroke] = useState<readonly Point[]>([]);
  const pointed = useRef(0);

  useEffect(() => {
    if (!isConnected) return;
    agent
      .ready()
      .then(() => agent.whiteboard.load())
      .catch(complain);
  }, [agent, isConnected, complain]);

  const at = (event: PointerEvent): Point => {
    const box = surface.current?.getBoundingClientRect();
    if (!box) return [0, 0];
    return [Math.round(((event.clientX - box.left) / box.width) * WIDTH), Math.round(((event.clientY - box.top) / box.height) * HEIGHT)];
  };
  const draw = (operation: Parameters<typeof agent.whiteboard.draw>[0]): void => void agent.whiteboard.draw(operation).catch(complain);
  const onDown = (event: PointerEvent): void => {
    if (pen === 'draw') {
      event.currentTarget.setPointerCapture(event.pointerId);
      setStroke([at(event)]);
    }
  };
  const onMove = (event: PointerEvent): void => {
    const point = at(event);
    if (stroke.length) setStroke((points) => [...points, point]);
    const now = performance.now();
    if (now - pointed.current < POINTING) return;
    pointed.current = now;
    agent.moveCursor(...point).catch(() => undefined); // The next one follows soon.
  };
  const onUp = (): void => {
    if (stroke.length > 1) draw({ op: 'stroke', points: stroke, color, width: 4 });
    setStroke([]);
  };
  const write = (text: string): void => {
    const count = elements.filter(({ op }) => op === 'note').length;
    draw({ op: 'note', x: 60 + (count % 4) * 230, y: 80 + Math.floor(count / 4) * 160, text, color });
  };
  const point = (points: readonly Point[]): string => points.map((each) => each.join(',')).join(' ');

  return (
    <div className="board">
      <div className="board-tools" role="toolbar" aria-label="Whiteboard tools">
        <IconButton icon="edit" label="Draw" aria-pressed={pen === 'draw'} onClick={() => setPen('draw')} />
        <IconButton icon="trash" label="Erase" aria-pressed={pen === 'erase'} onClick={() => setPen('erase')} />
        {COLORS.map((each, index) => (
          <button type="button" key={each} className={`board-color color-${index}`} aria-label={`Colour ${index + 1}`} aria-pressed={color === each} onClick={() => setColor(each)} />
        ))}
      </div>
      <svg ref={surface} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} className={`board-surface pen-${pen}`} role="img" aria-label={`Whiteboard with ${elements.length} elements`} onPointerDown={onDown} onPointerMove={onMove} onPointerUp={onUp} onPointerCancel={() => setStroke([])}>
        {elements.map((element) => (
          <g key={element.id} onPointerDown={() => pen === 'erase' && draw({ op: 'erase', id: element.id })}>
            <ElementView element={element} />
          </g>
        ))}
        {stroke.length > 1 && <polyline points={point(stroke)} stroke={color} strokeWidth={4} />}
        {cursors.map(({ identity, name, x, y }) => (
          <g key={identity} className="cursor" transform={`translate(${x} ${y})`}>
            <path d="M0 0 L0 34 L9 26 L16 40 L22 37 L15 23 L26 22 Z" />
            <text x={28} y={44}>
              {oneLine(name || identity)}
            </text>
          </g>
        ))}
      </svg>
      <NoteForm write={write} />
      <ul className="visually-hidden" aria-label="Notes on the whiteboard">
        {elements.filter(({ text }) => text).map(({ id, text }) => (
          <li key={id}>{text}</li>
        ))}
      </ul>
    </div>
  );
}

function NoteForm({ write }: { write: (text: string) => void }): ReactElement {
  const [text, setText] = useState('');
  return (
    <form
      className="board-note field"
      onSubmit={(event) => {
        event.preventDefault();
        if (text.trim()) write(text.trim());
        setText('');
      }}
    >
      <input type="text" aria-label="Note" placeholder="A note for the board" maxLength={200} value={text} onChange={(event) => setText(event.target.value)} />
      <button type="submit" className="button" disabled={!text.trim()}>
        <Icon name="edit" size={14} /> Put up
      </button>
    </form>
  );
}

/** Draws an element. Others choose its colour: only a CSS colour is accepted, never a picture's address. */
function ElementView({ element }: { element: Element }): ReactElement {
  const { op, points = [], x = 0, y = 0, text = '', width = 4 } = element;
  const color = element.color && CSS.supports('color', element.color) ? element.color : 'currentColor';
  if (op === 'stroke') return <polyline points={points.map((each) => each.join(',')).join(' ')} stroke={color} strokeWidth={width} />;
  if (op === 'text') {
    return (
      <text x={x} y={y} fill={color} className="board-text">
        {text}
      </text>
    );
  }
  return (
    <foreignObject x={x} y={y} width={220} height={150}>
      <div className="note" dir="auto">
        {text}
      </div>
    </foreignObject>
  );
}

function useCursors(): readonly Cursor[] {
  const { agent, room } = useRoomChat();
  const [cursors, setCursors] = useState<ReadonlyMap<string, Cursor>>(new Map());
  useEffect(() => {
    const timers = new Map<string, ReturnType<typeof setTimeout>>();
    const hide = (identity: string): void => setCursors((all) => new Map([...all].filter(([each]) => each !== identity)));
    const off = agent.on('cursor', (cursor) => {
      if (cursor.identity === room.localParticipant.identity) return;
      clearTimeout(timers.get(cursor.identity));
      timers.set(cursor.identity, setTimeout(() => hide(cursor.identity), STILL));
      setCursors((all) => new Map(all).set(cursor.identity, cursor));
    });
    return () => {
      off();
      for (const timer of timers.values()) clearTimeout(timer);
    };
  }, [agent, room]);
  return [...cursors.values()];
}
