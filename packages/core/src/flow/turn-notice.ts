import { waitingFor } from '../card/index.js';
import { neededGroups, type Progress } from '../policy/quorum.js';
import type { ActionRequestRecord, NoticeRecord } from '../ports.js';
import type { Instant } from '../request/index.js';
import type { FlowDeps } from './deps.js';
import { noticeOf } from './notices.js';
import { subjectOf } from './settled-notices.js';

/** That an earlier stage is met, to those whom the request waits for now. */
export function turnNotice(deps: Pick<FlowDeps, 'entropy'>, request: ActionRequestRecord, current: Progress, at: Instant): NoticeRecord {
  return noticeOf(deps, request, 'turn', at, {
    groups: neededGroups(current),
    text: `Waiting for ${waitingFor(current) ?? ''} now, after others approved: ${subjectOf(request)}. The time is over at ${request.expires_at}.`,
  });
}
