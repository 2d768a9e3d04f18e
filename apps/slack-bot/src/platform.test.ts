import { platformConformance } from '@countersign/chat/conformance';
import { createSlackHarness } from './testing/slack-harness.js';

platformConformance('Slack', createSlackHarness, {
  'posts that cannot be found': 'the bot reads its channel’s history and finds what it posted by the key in the message’s metadata',
});
