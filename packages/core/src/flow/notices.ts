import type { Channel, NoticeKind } from '@countersign/contracts';
import type { ActionRequestRecord, NoticeRecord } from '../ports.js';
import { type Instant, newId } from '../request/index.js';
import { makeVisible } from '../request/visible-text.js';
import type { FlowDeps } from './deps.js';

/** A notice about a request: one line, in which nobody can hide anything. */
export function noticeOf(
  deps: Pick<FlowDeps, 'entropy'>,
  request: Pick<ActionRequestRecord, 'id'> | null,
  kind: NoticeKind,
  at: Instant,
  told: { groups?: readonly string[]; people?: readonly string[]; channels?: readonly Channel[]; text: string },
): NoticeRecord {
  return {
    id: newId('nt', at, deps.entropy.bytes(10)),
    kind,
    request_id: request?.id ?? null,
    groups: [...(told.groups ?? [])],
    people: [...(told.people ?? [])],
    channels: [...(told.channels ?? [])],
    text: makeVisible(told.text).text.replaceAll('\n', ' '),
    at,
  };
}
