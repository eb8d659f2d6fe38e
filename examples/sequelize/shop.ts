import { DataTypes, type Sequelize } from 'sequelize';

/** Sells tea while there is some, each order and the stock it takes in one transaction. */
export async function sellTea(sequelize: Sequelize): Promise<void> {
  const Product = sequelize.define(
    'Product',
    { name: DataTypes.STRING(60), stock: DataTypes.INTEGER },
    { tableName: 'products', timestamps: false },
  );
  const Order = sequelize.define('Order', { quantity: DataTypes.INTEGER }, { tableName: 'orders', timestamps: false });
  Order.belongsTo(Product, { foreignKey: 'productId' });

  const tea = await Product.create({ name: 'tea', stock: 10 });
  const sell = (quantity: number) =>
    sequelize.transaction(async (transaction) => {
      await tea.reload({ transaction, lock: true });
      if (Number(tea.get('stock')) < quantity) throw new Error(`there is no more than ${tea.get('stock')}`);
      await Order.create({ productId: tea.get('id'), quantity }, { transaction });
      await tea.decrement('stock', { by: quantity, transaction });
    });
  for (const quantity of [3, 4, 5]) {
    const outcome = await sell(quantity).then(
      () => 'sold',
      (error: Error) => error.message,
    );
    process.stdout.write(`${quantity} of tea: ${outcome}\n`);
  }
  process.stdout.write(`${await Order.count()} orders for ${await Order.sum('quantity')} of tea\n`);
}
