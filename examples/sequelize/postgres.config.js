// For the application and for sequelize-cli.
import { withRdsIam } from '@rds-iam/sequelize';

export default withRdsIam({
  dialect: 'postgres',
  host: 'mydb.abc123.eu-west-1.rds.amazonaws.com',
  username: 'app',
  database: 'shop',
  logging: false,
});
