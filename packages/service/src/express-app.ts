import express, { type Express, type NextFunction, type Request, type Response } from 'express';

import type { Logger } from './logging.js';
import { internalProblem, sendProblem } from './problem.js';
import { requestContext } from './request-context.js';

/**
 * An Express application with the house's settings: no ETag, no X-Powered-By, no trusted proxy, paths taken literally, no body parser.
 * Add routes in `routes`; what they leave open is answered 404, what they throw or reject 500 without saying why.
 */
export function createExpressApp(log: Logger, routes: (app: Express) => void): Express {
  const app = express();
  app.set('etag', false);
  app.set('x-powered-by', false);
  app.set('trust proxy', false);
  app.set('case sensitive routing', true);
  app.set('strict routing', true);
  app.set('query parser', 'simple');
  routes(app);
  app.use((_request: Request, response: Response) => {
    sendProblem(response, { code: 'not_found', title: 'Not found', status: 404, detail: 'There is nothing here.' });
  });
  // Express knows an error handler by its four parameters.
  app.use((error: unknown, request: Request, response: Response, _next: NextFunction) => {
    answerFault(log, error, request, response);
  });
  return app;
}

function answerFault(log: Logger, error: unknown, request: Request, response: Response): void {
  // Express throws this for a path with a broken percent-encoding; it is the client's fault.
  if (error instanceof URIError) {
    sendProblem(response, { code: 'not_found', title: 'Not found', status: 404, detail: 'There is nothing here.' });
    return;
  }
  const { id } = requestContext(request);
  log.error({ err: error instanceof Error ? error : new Error(String(error)), request_id: id }, 'A request failed');
  sendProblem(response, internalProblem(id));
}
