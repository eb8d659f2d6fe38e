import { describeConformance } from '@rds-iam/conformance';
import { mysql2Pools } from './subjects.js';

for (const subject of mysql2Pools) describeConformance(subject);
