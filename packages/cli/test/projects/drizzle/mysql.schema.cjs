const { mysqlTable, varchar } = require('drizzle-orm/mysql-core');

exports.fruit = mysqlTable(process.env['TABLE'], { name: varchar('name', { length: 20 }) });
