export { AgUiAgent, type AgUiAgentOptions } from './agent.js';
