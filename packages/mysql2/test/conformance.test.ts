import { describeConformance } from '@rds-iam/conformance';
import { subjects } from './subjects.js';

for (const subject of subjects) describeConformance(subject);
