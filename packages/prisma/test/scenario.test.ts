import { describeScenario } from '@rds-iam/conformance';
import { subjectOf } from './subject.js';

describeScenario(await subjectOf('postgresql'));
describeScenario(await subjectOf('mysql'));
