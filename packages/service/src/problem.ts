import type { ServerResponse } from 'node:http';

import { requestContext } from './request-context.js';

/** What a handler says about a refused request. Which codes exist is the wire contract's business. */
export interface ProblemInput {
  /** The stable name, for example `self_approval`; `type` ends in it. */
  readonly code: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  /** One entry for each bad field; `pointer` is a JSON pointer (RFC 6901). */
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[];
  /** What is wrong with a document, and where in it; an extension member (RFC 9457, section 3.2). */
  readonly problems?: readonly object[];
  /** Further headers, such as Retry-After. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Answers with problem+json (RFC 9457). Does nothing when the answer has begun, except to end it. */
export function sendProblem(response: ServerResponse, problem: ProblemInput): void {
  if (response.headersSent) {
    // Half an answer is out: cutting the connection tells the client that it is not whole.
    response.destroy();
    return;
  }
  const context = requestContext(response.req);
  const body = JSON.stringify({
    type: `${context.publicUrl}/problems/${problem.code}`,
    code: problem.code,
    title: problem.title,
    status: problem.status,
    detail: problem.detail,
    instance: `urn:countersign:request:${context.id}`,
    ...(problem.errors === undefined ? {} : { errors: problem.errors }),
    ...(problem.problems === undefined ? {} : { problems: problem.problems }),
  });
  response.statusCode = problem.status;
  for (const [name, value] of Object.entries(problem.headers ?? {})) response.setHeader(name, value);
  response.setHeader('content-type', 'application/problem+json; charset=utf-8');
  response.setHeader('content-length', Buffer.byteLength(body));
  response.setHeader('cache-control', 'no-store');
  response.end(response.req.method === 'HEAD' ? undefined : body);
}

/** What a caller sees of a fault: nothing but the request's id, by which the log has the rest. */
export function internalProblem(requestId: string): ProblemInput {
  return { code: 'internal', title: 'Internal error', status: 500, detail: `Something failed on our side; the log has it under request ${requestId}.` };
}
