import { subjects as mysqlDrivers } from '../../../packages/mysql2/test/subjects.js';
import { subject as postgresJs } from '../../../packages/pg/test/postgres-js/subject.js';
import { subject as pg } from '../../../packages/pg/test/subject.js';
import { describeOnRds } from '../src/describe-on-rds.js';

describeOnRds([pg, postgresJs, ...mysqlDrivers]);
