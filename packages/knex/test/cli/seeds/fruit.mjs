export async function seed(knex) {
  await knex('fruit').insert([{ name: 'apple' }, { name: 'pear' }]);
}
