/** The agent of a room as an AG-UI agent: CopilotKit, and assistant-ui's AG-UI runtime, talk to it over LiveKit. */

import { AbstractAgent, EventType, type AgentConfig, type BaseEvent, type RunAgentInput } from '@ag-ui/client';
import { Observable } from 'rxjs';
import type { RoomAgent } from '../agent.js';
import { AgentError } from '../errors.js';
import { Conversation } from './conversation.js';
import type { Emit } from './translation.js';
import { messagesOf } from './messages.js';

export interface AgUiAgentOptions extends AgentConfig {
  /** Asks for the agent's eyes alone: runs are one's own private thread. */
  private?: boolean;
  /** Tools that need approval end a run with an interrupt; `false` where the app has an `onApproval` of its own. */
  approvals?: boolean;
}

/**
 * Runs are questions to the agent: the newest message of a person is asked, and the agent has the rest in its history.
 * A message whose id was asked before is answered again, as edited where its text is another.
 *
 * `input.tools` are offered to the model as methods of this client (the token has to allow changing one's own
 * attributes); a call ends the run, and the next run brings its result. `input.context` does not reach the model.
 */
export class AgUiAgent extends AbstractAgent {
  /** Not `#private`: AG-UI's clones are made without a constructor. */
  private conversation: Conversation;

  constructor(agent: RoomAgent, { private: isPrivate = false, approvals = true, ...config }: AgUiAgentOptions = {}) {
    super(config);
    this.conversation = new Conversation(agent, { isPrivate, approvals });
  }

  override run(input: RunAgentInput): Observable<BaseEvent> {
    this.conversation.onOver = () => this.dropInterrupts();
    return events(input, (emit, signal) => this.conversation.run(input, emit, signal));
  }

  /** AG-UI refuses a run that leaves an interrupt unanswered; those that are over need no answer. */
  protected override async onInitialize(...args: Parameters<AbstractAgent['onInitialize']>): Promise<void> {
    this.dropInterrupts();
    await super.onInitialize(...args);
  }

  /** What the thread has so far, as messages. */
  protected override connect(input: RunAgentInput): Observable<BaseEvent> {
    return events(input, async (emit) => {
      const items = await this.conversation.history();
      emit({ type: EventType.MESSAGES_SNAPSHOT, messages: messagesOf(items) });
      return {};
    });
  }

  /** Stops the answer; what was said stays. */
  override abortRun(): void {
    this.conversation.stop();
  }

  override clone(): AgUiAgent {
    const clone = super.clone() as AgUiAgent;
    clone.conversation = this.conversation;
    return clone;
  }

  private dropInterrupts(): void {
    this.pendingInterrupts = this.pendingInterrupts.filter(({ id }) => this.conversation.waitsFor(id));
  }
}

/** Tells of a run from its start to its end; `work` gives what RUN_FINISHED has beside its ids. */
function events(input: RunAgentInput, work: (emit: Emit, signal: AbortSignal) => Promise<object>): Observable<BaseEvent> {
  const { threadId, runId } = input;
  return new Observable((subscriber) => {
    const emit: Emit = (event) => subscriber.next(event);
    const detached = new AbortController();
    emit({ type: EventType.RUN_STARTED, threadId, runId });
    work(emit, detached.signal)
      .then((result) => emit({ type: EventType.RUN_FINISHED, threadId, runId, ...result }))
      .catch((error: unknown) => {
        const message = error instanceof Error ? error.message : String(error);
        const code = error instanceof AgentError ? { code: String(error.code) } : {};
        emit({ type: EventType.RUN_ERROR, message, ...code });
      })
      .then(() => subscriber.complete());
    // The answer goes on; a later run of it can follow.
    return () => detached.abort();
  });
}
