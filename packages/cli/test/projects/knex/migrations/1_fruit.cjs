exports.up = (knex) => knex.schema.createTable('knex_fruit', (table) => table.string('name'));
exports.down = (knex) => knex.schema.dropTable('knex_fruit');
