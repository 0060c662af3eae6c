import { createRoot } from 'react-dom/client';
import { App } from './App.tsx';
import { SideBySide } from './SideBySide.tsx';
import { whoAmI } from './session/who.ts';
import './styles/page.css';
import './styles/thread.css';
import './styles/parts.css';
import './styles/panel.css';

const element = document.getElementById('root');
if (!element) throw new Error('index.html has no root.');
const root = createRoot(element);
if (new URLSearchParams(location.search).has('side-by-side')) {
  document.title = 'Side by side – room agent';
  root.render(<SideBySide />);
} else {
  void whoAmI().then((who) => {
    document.title = `${who.room} – room agent`;
    root.render(<App who={who} />);
  });
}
