import type { Knex } from 'knex';

interface Product {
  id: number;
  name: string;
  stock: number;
}

/** Sells a product, or nothing if there is not enough of it. */
async function order(db: Knex, name: string, quantity: number): Promise<void> {
  await db.transaction(async (transaction) => {
    const product = await transaction<Product>('products').where({ name }).forUpdate().first();
    if (!product || product.stock < quantity) throw new Error(`not enough of ${name}`);
    await transaction('products').where({ id: product.id }).decrement('stock', quantity);
    await transaction('orders').insert({ product_id: product.id, quantity });
  });
}

/** A few queries on the tables from this folder's migrations and seeds. */
export async function visitShop(db: Knex, print: (line: string) => void): Promise<void> {
  await order(db, 'lamp', 2);
  await order(db, 'table', 2).catch((error: Error) => print(error.message));

  const sold = await db('orders').join('products', 'products.id', 'orders.product_id').select('name', 'quantity');
  const left = await db<Product>('products').orderBy('name').select('name', 'stock');
  print(`sold: ${sold.map(({ name, quantity }) => `${quantity} ${name}`).join(', ')}`);
  print(`left: ${left.map(({ name, stock }) => `${stock} ${name}`).join(', ')}`);
}
