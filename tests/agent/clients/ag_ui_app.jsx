// assistant-ui's AG-UI runtime over a room: nothing here is special for this agent but the AgUiAgent.
import { AssistantRuntimeProvider, ComposerPrimitive, MessagePrimitive, ThreadPrimitive, useAssistantTool } from '@assistant-ui/react';
import { useAgUiInterrupts, useAgUiRuntime, useAgUiSubmitInterruptResponses } from '@assistant-ui/react-ag-ui';
import { Room } from 'livekit-client';
import { RoomAgent } from 'livekit-room-agent';
import { AgUiAgent } from 'livekit-room-agent/ag-ui';
import { createRoot } from 'react-dom/client';

const room = new Room();
const agent = new AgUiAgent(new RoomAgent(room));

function PickColor() {
  useAssistantTool({
    toolName: 'pickColor',
    description: 'Lets the person pick a color.',
    parameters: { type: 'object', properties: { shade: { type: 'string' } } },
    execute: async ({ shade }) => `${shade} navy`,
  });
  return null;
}

function Approvals() {
  const interrupts = useAgUiInterrupts();
  const submit = useAgUiSubmitInterruptResponses();
  return interrupts.map(({ id, message }) => (
    <button key={id} onClick={() => submit([{ interruptId: id, status: 'resolved', payload: { approved: true } }])}>
      Approve: {message}
    </button>
  ));
}

const parts = {
  Text: ({ text }) => <p>{text}</p>,
  tools: { Fallback: ({ toolName, result }) => <p>{`${toolName}: ${JSON.stringify(result)}`}</p> },
};
const Message = () => <MessagePrimitive.Root><MessagePrimitive.Parts components={parts} /></MessagePrimitive.Root>;

function App() {
  const runtime = useAgUiRuntime({ agent });
  return (
    <AssistantRuntimeProvider runtime={runtime}>
      <PickColor />
      <ThreadPrimitive.Root>
        <ThreadPrimitive.Messages components={{ Message }} />
        <Approvals />
        <ComposerPrimitive.Root>
          <ComposerPrimitive.Input aria-label="Message" />
          <ComposerPrimitive.Send>Send</ComposerPrimitive.Send>
        </ComposerPrimitive.Root>
      </ThreadPrimitive.Root>
    </AssistantRuntimeProvider>
  );
}

window.start = async (url, token) => {
  await room.connect(url, token);
  createRoot(document.getElementById('root')).render(<App />);
};
