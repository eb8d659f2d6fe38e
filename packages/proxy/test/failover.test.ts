import { describeFailover } from './failover.js';
import { postgres } from './postgres.js';

describeFailover(postgres);
