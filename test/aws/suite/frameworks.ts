import { DIALECTS, subjectOf } from '../../../packages/knex/test/subject.js';
import { SUBJECTS as sequelize } from '../../../packages/sequelize/test/subjects.js';
import { subject as typeorm } from '../../../packages/typeorm/test/subject.js';
import { describeOnRds } from '../src/describe-on-rds.js';

describeOnRds([typeorm('postgres'), typeorm('mysql'), typeorm('mariadb'), ...DIALECTS.map(subjectOf), ...sequelize]);
