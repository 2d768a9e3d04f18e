import type { ActionRequestRecord } from '../ports.js';

/** Whether a request asks for a change of Countersign's own configuration: its requirement is fixed, and no bundle speaks of it. */
export function isInternal(request: Pick<ActionRequestRecord, 'requester'>): boolean {
  return request.requester.type === 'person';
}
