import { platformConformance } from '@countersign/chat/conformance';
import { createWebHarness } from './support/web-harness.js';

platformConformance('The web inbox', createWebHarness, {
  'deactivated account': 'a session belongs to a person of the directory; the row on who left the directory shows it',
  'guest account': 'only people of the directory have sessions, and the directory knows no guests',
  'outside account': 'only people of the directory have sessions',
  'second account': 'a session belongs to a person, not to an account',
  'account look-up': 'the session and the person are read from our own database',
  'posted cards': 'a card is made when it is looked at, so nothing has to be posted or brought up to date',
  'finding posts': 'nothing is posted that could be lost',
  'posts that cannot be found': 'nothing is posted that could be lost',
  'messages with buttons': 'a press names its request once, in its address',
  actions: 'the page of a request has forms of its own over the API, which the console’s tests show',
});
