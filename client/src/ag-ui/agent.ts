/** An AG-UI agent that is a room's agent: CopilotKit and assistant-ui's AG-UI runtime talk to it over LiveKit. */

import { AbstractAgent, EventType, type AgentConfig, type BaseEvent, type RunAgentInput } from '@ag-ui/client';
import { Observable } from 'rxjs';
import type { RoomAgent } from '../agent.js';
import { AgentError } from '../errors.js';
import { Conversation } from './conversation.js';
import type { Emit } from './translation.js';
import { messagesOf } from './messages.js';

export interface AgUiAgentOptions extends AgentConfig {
  /** Runs use the user's private thread with the agent. */
  private?: boolean;
  /** Tools that need approval end a run with an interrupt; `false` if the app has its own `onApproval`. */
  approvals?: boolean;
}

/**
 * A run asks the agent the user's newest message; earlier messages are in the agent's history.
 * A message with a known id is answered again, and as edited if its text differs.
 *
 * `input.tools` are offered to the model as methods of this client (the token must allow it to change its own
 * attributes); a call ends the run, and the next run brings its result. `input.context` does not reach the model.
 */
export class AgUiAgent extends AbstractAgent {
  /** Not `#private`: AG-UI clones an agent without calling its constructor. */
  private conversation: Conversation;

  constructor(agent: RoomAgent, { private: isPrivate = false, approvals = true, ...config }: AgUiAgentOptions = {}) {
    super(config);
    this.conversation = new Conversation(agent, { isPrivate, approvals });
  }

  override run(input: RunAgentInput): Observable<BaseEvent> {
    this.conversation.onOver = () => this.dropInterrupts();
    return events(input, (emit, signal) => this.conversation.run(input, emit, signal));
  }

  /** AG-UI refuses a run that leaves an interrupt unanswered; removes those that have ended. */
  protected override async onInitialize(...args: Parameters<AbstractAgent['onInitialize']>): Promise<void> {
    this.dropInterrupts();
    await super.onInitialize(...args);
  }

  /** Emits the thread's messages so far. */
  protected override connect(input: RunAgentInput): Observable<BaseEvent> {
    return events(input, async (emit) => {
      const items = await this.conversation.history();
      emit({ type: EventType.MESSAGES_SNAPSHOT, messages: messagesOf(items) });
      return {};
    });
  }

  /** Stops the answer; its text so far stays. */
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

/** Emits a run's events from start to end; `work` returns the fields of RUN_FINISHED other than its ids. */
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
    // The answer continues; a later run can follow it.
    return () => detached.abort();
  });
}
