/** An answer `{ ok: false, error }` of the Web API, thrown by the method that gives it. */
export class SlackRefusal extends Error {
  override readonly name = 'SlackRefusal';

  constructor(
    /** Slack's word for it, such as `channel_not_found`. */
    readonly error: string,
    /** The details that Slack gives in response_metadata.messages. */
    readonly details: readonly string[] = [],
    /** Further members of the answer. */
    readonly extra: Readonly<Record<string, unknown>> = {},
  ) {
    super(error);
  }
}
