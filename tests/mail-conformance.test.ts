import { platformConformance } from '@countersign/chat/conformance';
import { createMailHarness } from './support/mail-harness.js';

platformConformance('Mail', createMailHarness, {
  'deactivated account': 'a session belongs to a person of the directory; the row on who left the directory shows it',
  'guest account': 'only people of the directory have sessions, and the directory knows no guests',
  'outside account': 'only people of the directory have sessions',
  'second account': 'a session belongs to a person, not to a mailbox',
  'account look-up': 'the session and the person are read from our own database',
  'finding posts': 'a mail server does not say what it took: the mail is sent again under the same Message-ID, with the same link',
  'posts that cannot be found': 'a copy is the same mail, whose link works once like that of the other',
  'open cards that change': 'a mail stays as it was sent; its link leads to the page that says how the request stands',
  'links to follow': 'whoever writes a request puts no address under a click in a mail: they stand there as text',
  actions: 'a mail’s link leads to the page of the request, and everything else is done there',
});
