/** The schema of the queue's tables, apart from Countersign's own and from any other BullMQ in the database. */
export const QUEUE_SCHEMA = 'countersign_queue';
