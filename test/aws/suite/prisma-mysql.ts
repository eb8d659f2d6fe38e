import { subjectOf } from '../../../packages/prisma/test/subject.js';
import { describeOnRds } from '../src/describe-on-rds.js';

describeOnRds([await subjectOf('mysql')]);
