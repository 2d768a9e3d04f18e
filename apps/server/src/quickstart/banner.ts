import type { QuickstartFile } from './files.js';

/** What a quickstart is not; on its cards, in the console and where it starts. */
export const QUICKSTART_NOTICE = 'Quickstart: for trying out. It is no boundary against software that runs as the same user.';

/** The few lines that a newcomer sees: where to click, and what to copy. */
export function quickstartBanner(content: QuickstartFile, file: string): string {
  const link = (email: string): string => content.people[email]?.sign_in_url ?? '(not in the directory)';
  const body = {
    action: 'data.export',
    resource: { type: 'postgres_table', id: 'prod.customers' },
    parameters: { format: 'csv', rows: 48211, destination: 's3://ml-retraining/customers.csv' },
    reason: 'Retraining set for churn model v7',
    actor: { type: 'agent', id: 'retrainer', on_behalf_of: { type: 'person', id: 'dana@example.com' } },
    environment: 'production',
    callback: { url: 'http://127.0.0.1:8090/' },
  };
  return `
Countersign is ready at ${content.url}

  1. Sign in as Alice, a data owner (the link works once, for 10 minutes):
     ${link('alice@example.com')}
  2. In a second terminal, wait for the signed outcome:
     npm run receiver
  3. In a third, let the agent "retrainer" ask for an export of customer data:

curl -sS ${content.url}/v1/action-requests \\
  -H 'Authorization: Bearer ${content.api_key}' \\
  -H "Idempotency-Key: demo-$(date +%s)" \\
  -H 'Content-Type: application/json' \\
  -d '${JSON.stringify(body)}'

  Keys, tokens and everybody's sign-in link: ${file}
  ${QUICKSTART_NOTICE}
  Ctrl-C stops it; what was asked and decided stays.
`;
}
