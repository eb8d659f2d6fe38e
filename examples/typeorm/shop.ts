import type { DataSource } from 'typeorm';
import { Orders, Products } from './schema.js';

/** Brings the schema up to date, sells what is in stock, and does not sell what is not. */
export async function runShop(dataSource: DataSource, print: (line: string) => void): Promise<void> {
  await dataSource.initialize();
  try {
    const migrations = await dataSource.runMigrations();
    print(`migrations: ${migrations.map(({ name }) => name).join(', ') || 'none to run'}`);

    await dataSource.getRepository(Products).upsert({ name: 'tea', stock: 3 }, ['name']);
    for (const quantity of [2, 2]) {
      const sold = await sell(dataSource, 'tea', quantity);
      print(`${quantity} of tea: ${sold ? 'sold' : 'out of stock'}`);
    }

    const orders = await dataSource.getRepository(Orders).find({ relations: { product: true } });
    for (const { quantity, product } of orders) print(`order: ${quantity} of ${product.name}, ${product.stock} left`);
  } finally {
    await dataSource.destroy();
  }
}

/** One transaction: the order is there if and only if the stock went down. */
function sell(dataSource: DataSource, name: string, quantity: number): Promise<boolean> {
  return dataSource.transaction(async (manager) => {
    const product = await manager.findOneOrFail(Products, { where: { name }, lock: { mode: 'pessimistic_write' } });
    if (product.stock < quantity) return false;
    await manager.decrement(Products, { id: product.id }, 'stock', quantity);
    await manager.save(Orders, { quantity, product: { id: product.id } });
    return true;
  });
}
