/** A place as it is written: a channel, with its workspace or Grid before it where that is not the standard one. */
export interface WrittenPlace {
  /** T… or E…; null: the standard workspace. */
  team: string | null;
  channel: string;
}

const WITH_TEAM = /^(?<team>[TE][A-Z0-9]{4,})\/(?<channel>.+)$/s;

/** `T0123/C456`, `T0123/#approvals`, `C456`, `#approvals`. */
export function placeOf(text: string): WrittenPlace {
  const { team, channel } = WITH_TEAM.exec(text)?.groups ?? {};
  return team === undefined || channel === undefined ? { team: null, channel: text } : { team, channel };
}

export function writtenPlace({ team, channel }: WrittenPlace): string {
  return team === null ? channel : `${team}/${channel}`;
}
