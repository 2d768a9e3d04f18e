export { createCloudEventsTransport, type CloudEventsOptions } from './cloudevents-transport.js';
