import { describeConformance } from '@rds-iam/conformance';
import { subjectOf } from './subject.js';

describeConformance(await subjectOf('mysql'));
