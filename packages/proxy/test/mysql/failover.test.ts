import { describeFailover } from '../failover.js';
import { mysql } from './mysql.js';

describeFailover(mysql);
