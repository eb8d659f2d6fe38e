import { openNodeRedis } from './clients.js';
import { describeFaults } from './faults.js';

describeFaults(openNodeRedis);
