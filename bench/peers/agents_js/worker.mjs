// The least AgentSession worker of LiveKit's Agents for Node.js, for text alone, as their documentation has it:
// https://docs.livekit.io/agents/build/text/. Only its admission is not: that looks at the machine's load, and would
// refuse rooms in the middle of a measurement. A job has a process of its own.

import { fileURLToPath } from 'node:url';
import { ServerOptions, cli, defineAgent, voice } from '@livekit/agents';
import * as openai from '@livekit/agents-plugin-openai';

export default defineAgent({
  entry: async (context) => {
    const session = new voice.AgentSession({ llm: new openai.LLM({ model: 'gpt-4.1-mini' }) });
    await session.start({
      agent: new voice.Agent({ instructions: 'You are a helpful assistant.' }),
      room: context.room,
      inputOptions: { audioEnabled: false },
      outputOptions: { audioEnabled: false },
    });
    await context.connect();
  },
});

cli.runApp(
  new ServerOptions({
    agent: fileURLToPath(import.meta.url),
    agentName: process.env.AGENT_NAME,
    loadFunc: async () => 0.05,
    port: Number(process.env.AGENTS_JS_PORT), // 0 would be 8081
  }),
);
