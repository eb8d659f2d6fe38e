module.exports = {
  async up(queryInterface, { DataTypes }) {
    const id = { type: DataTypes.INTEGER, primaryKey: true, autoIncrement: true };
    await queryInterface.createTable('products', {
      id,
      name: { type: DataTypes.STRING(60), allowNull: false },
      stock: { type: DataTypes.INTEGER, allowNull: false },
    });
    await queryInterface.createTable('orders', {
      id,
      productId: { type: DataTypes.INTEGER, allowNull: false, references: { model: 'products', key: 'id' } },
      quantity: { type: DataTypes.INTEGER, allowNull: false },
    });
  },
  async down(queryInterface) {
    await queryInterface.dropTable('orders');
    await queryInterface.dropTable('products');
  },
};
