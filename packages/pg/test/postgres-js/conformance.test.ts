import { describeConformance } from '@rds-iam/conformance';
import { subject } from './subject.js';

describeConformance(subject);
