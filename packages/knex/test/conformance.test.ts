import { describeConformance } from '@rds-iam/conformance';
import { DIALECTS, subjectOf } from './subject.js';

for (const dialect of DIALECTS) describeConformance(subjectOf(dialect));
