import { createRoot } from 'react-dom/client';
import { App } from './App.tsx';
import { whoAmI } from './session/who.ts';
import './styles/page.css';
import './styles/thread.css';
import './styles/parts.css';

const root = document.getElementById('root');
if (!root) throw new Error('index.html has no root.');
whoAmI().then((who) => {
  document.title = `${who.room} – room agent`;
  createRoot(root).render(<App who={who} />);
});
