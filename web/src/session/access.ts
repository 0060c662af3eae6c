/** Gets the data that `dev` gives its page to join a room. */

import type { Who } from './who.ts';

export interface Access {
  readonly serverUrl: string;
  readonly token: string;
  readonly agentIdentity: string;
  readonly replyTopic: string;
}

/** Throws an Error with the server's message. */
export async function askForAccess({ room, identity, name, role }: Who): Promise<Access> {
  const query = new URLSearchParams({ room, identity, name, ...(role ? { role } : {}) });
  const response = await fetch(`/token?${query}`);
  if (!response.ok) throw new Error((await response.text()).trim());
  const answer = (await response.json()) as Record<string, string>;
  return {
    serverUrl: answer['server_url'] ?? '',
    token: answer['participant_token'] ?? '',
    agentIdentity: answer['agent_identity'] ?? 'agent',
    replyTopic: answer['reply_topic'] ?? 'llm-response',
  };
}
