import { describeScenario } from '@rds-iam/conformance';
import { DIALECTS, subjectOf } from './subject.js';

for (const dialect of DIALECTS) describeScenario(subjectOf(dialect));
