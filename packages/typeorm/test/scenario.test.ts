import { describeScenario } from '@rds-iam/conformance';
import { subject } from './subject.js';

describeScenario(subject('postgres'));
describeScenario(subject('mysql'));
describeScenario(subject('mariadb'));
