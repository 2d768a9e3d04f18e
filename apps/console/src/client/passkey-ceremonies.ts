import type { PasskeyView, StepUpIntentView, Verdict } from '@countersign/contracts';
import {
  browserSupportsWebAuthn,
  type PublicKeyCredentialCreationOptionsJSON,
  type PublicKeyCredentialRequestOptionsJSON,
  startAuthentication,
  startRegistration,
} from '@simplewebauthn/browser';
import { ApiError, call } from './api.js';

/** What this browser can do with a passkey: nothing where it knows none, as in many views inside other apps. */
export const canUsePasskeys = (): boolean => browserSupportsWebAuthn();

export const passkeys = {
  list: () => call<{ data: PasskeyView[] }>('GET', '/v1/passkeys'),
  rename: (id: string, name: string) => call<PasskeyView>('PATCH', `/v1/passkeys/${id}`, { name }),
  remove: (id: string) => call<void>('DELETE', `/v1/passkeys/${id}`),
};

export const intentOf = (id: string): Promise<StepUpIntentView> => call('GET', `/v1/step-up-intents/${id}`);

/** Makes a passkey on this device or a security key, and enrols it. */
export async function enrol(name: string): Promise<PasskeyView> {
  const optionsJSON = await call<PublicKeyCredentialCreationOptionsJSON>('POST', '/v1/passkeys/challenges', {});
  const response = await asked(() => startRegistration({ optionsJSON }));
  return call('POST', '/v1/passkeys', { name, response });
}

/** A press in a chat is signed for once; whatever comes of it, the next signature is the page's own. */
const signedIntents = new Set<string>();

/** Signs a decision; what comes back is what the decision names as `passkey`, once. */
export async function signDecision(request: string, verdict: Verdict, intent: string | null): Promise<string> {
  const named = intent === null || signedIntents.has(intent) ? {} : { intent };
  const optionsJSON = await call<PublicKeyCredentialRequestOptionsJSON>('POST', `/v1/action-requests/${request}/passkey-challenges`, { verdict, ...named });
  const response = await asked(() => startAuthentication({ optionsJSON }));
  const { passkey } = await call<{ passkey: string }>('POST', `/v1/action-requests/${request}/passkey-assertions`, { response, ...named });
  if (intent !== null) signedIntents.add(intent);
  return passkey;
}

/** Proves again, by passkey, that it is the same person in this session. */
export async function proveAgain(): Promise<void> {
  const optionsJSON = await call<PublicKeyCredentialRequestOptionsJSON>('POST', '/v1/sessions/step-up/challenges', {});
  const response = await asked(() => startAuthentication({ optionsJSON }));
  await call('POST', '/v1/sessions/step-up', { response });
}

/** Does what needs a fresh sign-in; where it is not fresh, the passkey is asked for once, and it is done then. */
export async function whileFresh<T>(work: () => Promise<T>, hasPasskey: boolean): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== 'step_up_required' || !hasPasskey) throw error;
    await proveAgain();
    return work();
  }
}

/** The browser's prompt, and its refusals in words. */
async function asked<T>(prompt: () => Promise<T>): Promise<T> {
  if (!canUsePasskeys()) {
    throw new ApiError(0, 'no_passkeys', 'This browser cannot use passkeys. Open this page in the browser of your device, outside of the chat.');
  }
  try {
    return await prompt();
  } catch (error) {
    const name = error instanceof Error ? error.name : '';
    if (name === 'NotAllowedError')
      throw new ApiError(0, 'passkey_cancelled', 'The passkey was not used, or did not check that it is you. Nothing was decided.');
    if (name === 'InvalidStateError') throw new ApiError(0, 'passkey_known', 'This device is enrolled already.');
    if (name === 'SecurityError') throw new ApiError(0, 'wrong_address', 'Passkeys work on the address of this service alone. Open it by its name.');
    throw new ApiError(0, 'passkey_failed', 'The passkey could not be used. Nothing was decided.');
  }
}
