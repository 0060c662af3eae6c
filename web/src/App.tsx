/** The page: it joins a room and shows it. */

import { RoomAudioRenderer, RoomContext } from '@livekit/components-react';
import { LogLevel, Room, setLogLevel } from 'livekit-client';
import { useMessages, useRoomAgent } from 'livekit-room-agent/react';
import { useCallback, useEffect, useMemo, useState, type ReactElement } from 'react';
import { Header } from './Header.tsx';
import { askForAccess, type Access } from './session/access.ts';
import { useAgentName } from './session/agent_name.ts';
import { useQuestions } from './session/asking.ts';
import { ChatContext, MessagesContext, UnderWayContext, type Chat } from './session/chat.ts';
import { useConnection, type Connection } from './session/connection.ts';
import { receivedFiles } from './session/files.ts';
import type { Who } from './session/who.ts';
import { PANELS, Panel, type PanelName } from './panel/Panel.tsx';
import { watchWire, type WireLog } from './panel/wire.ts';
import { Thread } from './thread/Thread.tsx';
import { merged } from './thread/timeline.ts';
import { IconButton } from './ui/IconButton.tsx';
import { plain } from './ui/plain.ts';
import { useTheme } from './ui/theme.ts';
import { Captions } from './voice/Captions.tsx';

setLogLevel(LogLevel.warn);

export function App({ who }: { who: Who }): ReactElement {
  const [access, setAccess] = useState<Access>();
  const [problem, setProblem] = useState<string>();
  useEffect(() => {
    askForAccess(who).then(setAccess, (error: unknown) => setProblem(String((error as Error).message)));
  }, [who]);
  if (problem) {
    return (
      <main className="center" role="alert">
        <h1>This did not work</h1>
        <p>{problem}</p>
      </main>
    );
  }
  return access ? <RoomPage who={who} access={access} /> : <main className="center" aria-busy="true" />;
}

/** Words spoken before the microphone was connected are sent afterwards. */
function watchedRoom(): { room: Room; log: WireLog } {
  const room = new Room({ publishDefaults: { preConnectBuffer: true } });
  return { room, log: watchWire(room) };
}

const panelOf = (name: string | null): PanelName | undefined => PANELS.find(([each]) => each === name)?.[0];

function RoomPage({ who, access }: { who: Who; access: Access }): ReactElement {
  const { room, log } = useMemo(watchedRoom, []);
  const [panel, setPanel] = useState<PanelName | undefined>(() => panelOf(new URLSearchParams(location.search).get('panel')));
  const options = useMemo(() => ({ identity: access.agentIdentity, replyTopic: access.replyTopic }), [access]);
  const agent = useRoomAgent(room, options);
  const connection = useConnection(room, who, access, agent !== undefined);
  const isConnected = connection.state !== 'connecting' && Boolean(room.localParticipant.identity);
  const theme = useTheme();
  const [complaint, setComplaint] = useState<string>();
  const complain = useCallback((error: unknown) => setComplaint(error instanceof Error ? error.message : String(error)), []);
  const { underWay, ask, stop } = useQuestions(agent, complain);

  useEffect(() => {
    if (!agent) return undefined;
    receivedFiles(agent);
    // Failures of questions are shown next to the questions.
    return agent.on('error', ({ code, message }) => {
      if (code === 500) setComplaint(message);
    });
  }, [agent]);
  useEffect(() => {
    if (!agent || !isConnected) return;
    agent
      .ready()
      .then(() => agent.loadOlder({ private: true }))
      .catch(() => undefined); // The client reads it again later.
  }, [agent, isConnected]);

  const roomMessages = useMessages(agent?.messages);
  const ownMessages = useMessages(isConnected ? agent?.privateMessages : undefined);
  const messages = useMemo(() => merged(roomMessages, ownMessages), [roomMessages, ownMessages]);
  const agentName = useAgentName(room, access.agentIdentity);
  const chat = useMemo<Chat | undefined>(
    () => agent && { room, agent, who, isConnected, agentName, complain, ask, stop },
    [room, agent, who, isConnected, agentName, complain, ask, stop],
  );
  if (!chat) return <main className="center" aria-busy="true" />;
  return (
    <RoomContext.Provider value={room}>
      <ChatContext.Provider value={chat}>
        <MessagesContext.Provider value={messages}>
          <div className="page">
            <Header theme={theme} panel={panel} setPanel={setPanel} />
            <ConnectionBanner connection={connection} />
            {complaint && (
              <div className="banner complaint" role="alert">
                <span dir="auto">{plain(complaint)}</span>
                <IconButton icon="close" label="Dismiss" onClick={() => setComplaint(undefined)} />
              </div>
            )}
            <div className="main">
              <main>
                <UnderWayContext.Provider value={underWay}>
                  <Thread />
                </UnderWayContext.Provider>
                <Captions />
              </main>
              {panel && <Panel name={panel} log={log} onClose={() => setPanel(undefined)} />}
            </div>
          </div>
          <RoomAudioRenderer />
        </MessagesContext.Provider>
      </ChatContext.Provider>
    </RoomContext.Provider>
  );
}

function ConnectionBanner({ connection }: { connection: Connection }): ReactElement | null {
  const { state, problem, comeBack } = connection;
  if (state === 'connected' || (state === 'connecting' && !problem)) return null;
  if (state === 'elsewhere') {
    return (
      <div className="banner" role="alert">
        <span>You are in this room in another tab.</span>
        <button type="button" className="button" onClick={comeBack}>
          Come back here
        </button>
      </div>
    );
  }
  return (
    <div className="banner" role="status">
      <span>{state === 'reconnecting' ? 'The connection was lost. Reconnecting…' : `Cannot connect: ${problem}. Trying again…`}</span>
    </div>
  );
}
