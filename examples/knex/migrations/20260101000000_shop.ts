import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('products', (table) => {
    table.increments('id');
    table.string('name', 100).notNullable().unique();
    table.integer('stock').notNullable();
  });
  await knex.schema.createTable('orders', (table) => {
    table.increments('id');
    table.integer('product_id').unsigned().notNullable().references('products.id');
    table.integer('quantity').notNullable();
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.dropTable('orders');
  await knex.schema.dropTable('products');
}
