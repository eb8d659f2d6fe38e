import { describeConformance } from '@rds-iam/conformance';
import { mariadbConnector } from '../subjects.js';

describeConformance(mariadbConnector);
