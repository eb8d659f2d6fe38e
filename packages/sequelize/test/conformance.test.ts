import { describeConformance } from '@rds-iam/conformance';
import { SUBJECTS } from './subjects.js';

for (const subject of SUBJECTS) describeConformance(subject);
