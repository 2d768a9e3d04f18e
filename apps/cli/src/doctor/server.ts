import { messageOf } from '../cli-error.js';
import { type Check, fail, ok, warn } from './check.js';

/** Whether the service at an address lives and is ready, and whether its clock is ours. */
export async function serverChecks(url: string): Promise<Check[]> {
  try {
    const [alive, ready] = await Promise.all(
      ['/healthz', '/readyz'].map((path) => fetch(`${url}${path}`, { redirect: 'error', signal: AbortSignal.timeout(10_000) })),
    );
    if (alive?.ok !== true) return [fail('server', `${url}/healthz answered ${alive?.status ?? 'nothing'}`, 'Is this the address of Countersign?')];
    const checks = [
      ready?.ok === true
        ? ok('server', `${url} is ready`)
        : fail('server', `${url} lives but is not ready: ${((await ready?.text()) ?? '').slice(0, 200)}`, 'Its log says what it waits for.'),
    ];
    const skew = Math.abs(Date.now() - Date.parse(alive.headers.get('date') ?? ''));
    if (skew > 5_000)
      checks.push(
        warn(
          'clock',
          `the server's clock and this one are ${Math.round(skew / 1000)} s apart`,
          'Synchronise both (NTP): signatures of callbacks count for 5 minutes.',
        ),
      );
    return checks;
  } catch (error) {
    return [fail('server', `${url} does not answer: ${messageOf(error)}`, 'Start it, or give the right address with --url.')];
  }
}
