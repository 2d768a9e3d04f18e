/** Passkeys: enrolling and removing them, and what they sign. The owner of @simplewebauthn/server. */
export type { AuthenticationResponseJSON, RegistrationResponseJSON } from '@simplewebauthn/server';
export { assertDecision, assertSession, decisionOptions, type DecisionSubject, HANDLE_SECONDS, sessionOptions } from './assertion.js';
export { enrol, enrolmentOptions, removePasskeys } from './enrolment.js';
export { type CeremonyPerson, type PasskeyFault, type PasskeyRefusal, type PasskeyWorld } from './relying-party.js';
