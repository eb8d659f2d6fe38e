export async function up(knex) {
  await knex.schema.createTable('fruit', (table) => {
    table.string('name', 20);
  });
}

export async function down(knex) {
  await knex.schema.dropTable('fruit');
}
