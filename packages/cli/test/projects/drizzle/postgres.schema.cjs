const { pgTable, text } = require('drizzle-orm/pg-core');

exports.fruit = pgTable(process.env['TABLE'], { name: text('name') });
