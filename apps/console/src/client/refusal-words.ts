import type { SignInRefusalCode } from '@countersign/contracts';

/** What to do where a sign-in signed nobody in. */
export const refusalWords: Readonly<Record<SignInRefusalCode, string>> = {
  state_unknown: 'This sign-in was begun in another browser, was finished already, or took longer than ten minutes. Begin again.',
  provider_refused: 'The identity provider did not sign you in.',
  not_proved: 'What came back from the identity provider does not prove who you are. Begin again; if it stays so, tell an administrator.',
  not_fresh: 'You were asked to prove again who you are, and the identity provider did not do so.',
  other_person: 'Another person signed in than the one who was asked to prove who they are. Nothing was changed.',
  provider_unavailable: 'The identity provider does not answer. Try again in a moment.',
  wrong_tenant: 'This account belongs to another organisation, or to none. Use the one of this organisation.',
  guest: 'Guests of the organisation do not sign in here. Use an account of the organisation itself.',
  email_unverified: 'The identity provider says that your e-mail address is not verified. Verify it there, and begin again.',
  no_subject: 'The identity provider did not say who you are. An administrator has to look at its claims.',
  nobody: 'The directory does not know you. Ask an administrator to add you.',
  inactive: 'Your account is not active in the directory. Ask an administrator.',
  ambiguous: 'Two entries of the directory have your e-mail address. An administrator has to say which one you are.',
  identity_conflict:
    'The entry of the directory with your e-mail address belongs to another account of the identity provider. An administrator has to look at it.',
  identity_cut: 'This account was cut off from the directory. Ask an administrator to name it there.',
  not_signed_in: 'Your session ended meanwhile. Sign in, and open the link of the chat again.',
  another_account: 'You signed in to Slack with another account than the one that the link was made for. Nothing was linked.',
  link_over: 'The link is over or was used. Press a button in the chat again to get a new one.',
};
