import { platformConformance } from '@countersign/chat/conformance';
import { createTeamsHarness } from './testing/teams-harness.js';

platformConformance('Teams', createTeamsHarness, { 'finding posts': 'a bot cannot read its own messages without a Graph permission on all of them' });
