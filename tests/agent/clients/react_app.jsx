// An app made of LiveKit's own React hooks, without a line for this agent. `window.app` tells what it shows.
import { MessagesEvent, SessionProvider, useAgent, useChat, useDataChannel, useEvents, useSession, useSessionMessages, useTranscriptions, useVoiceAssistant } from '@livekit/components-react';
import { Room, TokenSource } from 'livekit-client';
import { useEffect, useMemo } from 'react';
import { createRoot } from 'react-dom/client';

const onPacket = ({ payload }) => app.packets.push(new TextDecoder().decode(payload));
const app = { mounted: [], unmounted: [], received: [], messages: [], transcriptions: [], chat: [], packets: [], states: [], tracksWhenListening: [] };
window.app = app;

function Message({ message }) {
  const { id } = message;
  useEffect(() => {
    app.mounted.push(id);
    return () => void app.unmounted.push(id);
  }, []);
  return <li>{message.message}</li>;
}

function Conversation({ session }) {
  const conversation = useSessionMessages(session);
  const agent = useAgent(session);
  const assistant = useVoiceAssistant();
  const transcriptions = useTranscriptions();
  const { chatMessages } = useChat();
  const channel = useDataChannel('my-app', onPacket);
  useEvents(conversation, MessagesEvent.MessageReceived, ({ id }) => app.received.push(id), []);

  useEffect(() => {
    if (app.states.at(-1) === agent.state) return;
    if (agent.state === 'listening' && !app.states.includes('listening'))
      app.tracksWhenListening.push(Boolean(agent.microphoneTrack));
    app.states.push(agent.state);
  }, [agent.state]);
  app.messages = conversation.messages.map(({ id, type, message, from }) => ({ id, type, message, from: from?.identity }));
  app.transcriptions = transcriptions.map(({ text }) => text);
  app.chat = chatMessages.map(({ id, message, editTimestamp }) => ({ id, message, isEdited: Boolean(editTimestamp) }));
  app.voiceAssistant = assistant.state;
  app.assistant = { hasTrack: Boolean(assistant.audioTrack), said: assistant.agentTranscriptions.map(({ text }) => text) };
  app.agent = { identity: agent.identity, name: agent.name, canListen: agent.canListen };
  app.send = async (text, options) => (await conversation.send(text, options)).id;
  app.publish = (text) => channel.send(new TextEncoder().encode(text), { reliable: true });

  return <ul>{conversation.messages.map((each) => <Message key={each.id} message={each} />)}</ul>;
}

function App({ serverUrl, participantToken, roomOptions }) {
  const source = useMemo(() => TokenSource.literal({ serverUrl, participantToken }), []);
  const room = useMemo(() => roomOptions && new Room(roomOptions), []);
  const session = useSession(source, room ? { room } : undefined);
  app.room = session.room;
  app.start = (options) => session.start(options);
  app.end = () => session.end();
  return <SessionProvider session={session}><Conversation session={session} /></SessionProvider>;
}

window.render = (serverUrl, participantToken, roomOptions) =>
  createRoot(document.getElementById('root')).render(
    <App serverUrl={serverUrl} participantToken={participantToken} roomOptions={roomOptions} />,
  );
