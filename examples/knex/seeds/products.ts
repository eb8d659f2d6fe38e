import type { Knex } from 'knex';

export async function seed(knex: Knex): Promise<void> {
  await knex('orders').del();
  await knex('products').del();
  await knex('products').insert([
    { name: 'lamp', stock: 3 },
    { name: 'table', stock: 1 },
  ]);
}
