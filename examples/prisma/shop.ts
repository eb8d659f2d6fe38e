import type { PrismaClient as MysqlClient } from './generated/mysql/client.js';
import type { PrismaClient as PostgresClient } from './generated/postgres/client.js';

/** The client members that this program uses on both engines. An application has one client, and needs no cast. */
export async function run(client: PostgresClient | MysqlClient): Promise<void> {
  const prisma = client as PostgresClient;
  await prisma.product.createMany({
    data: [
      { name: 'tea', stock: 10 },
      { name: 'cake', stock: 1 },
    ],
  });
  const left = await order(prisma, 'tea', 3);
  const refused = await order(prisma, 'cake', 2).catch((error: Error) => error.message);
  const products = await prisma.product.findMany({ orderBy: { name: 'asc' }, include: { lines: true } });
  console.log({
    left,
    refused,
    products: products.map(({ name, stock, lines }) => `${name}: ${stock}, ${lines.length}`),
  });
}

/** Orders some of a product if there are enough, in one transaction. @returns how many are left */
async function order(prisma: PostgresClient, name: string, quantity: number): Promise<number> {
  return prisma.$transaction(async (tx) => {
    const product = await tx.product.update({ where: { name }, data: { stock: { decrement: quantity } } });
    if (product.stock < 0) throw new Error(`not enough of ${name}`);
    await tx.orderLine.create({ data: { quantity, productId: product.id } });
    return product.stock;
  });
}
